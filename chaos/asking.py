"""The requests of the load: what is sent for each action, and what of the answer the history keeps."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from chaos.client import Request
from chaos.tenants import Tenant

VOLUMES, BAYS = "volume/v3", "container-infra/v1/clusters"
NODES = "node_count"
MINUTES = 2  # that a bay is given: a Heat that was killed leaves a stack in progress for ever


def create_volume(name: str, size: int | None, **source: str) -> Request:
    """Return the request for a volume, blank or from `snapshot_id` or `source_volid`."""
    body = {"name": name, **({"size": size} if size else {}), **source}
    args = {"name": name, "size": size, **source}
    return Request("volume.create", "POST", f"{VOLUMES}/volumes", {"volume": body}, args=args, read=_volume)


def show_volume(ident: str) -> Request:
    return Request("volume.show", "GET", f"{VOLUMES}/volumes/{ident}", resource=ident, read=_volume)


def list_volumes() -> Request:
    def read(document: Any) -> dict[str, Any]:
        return {"volumes": {each["id"]: _seen(each) for each in document["volumes"]}}

    return Request("volume.list", "GET", f"{VOLUMES}/volumes/detail", read=read)


def update_volume(ident: str, changes: Mapping[str, Any], if_match: str | None) -> Request:
    return Request(
        "volume.update",
        "PUT",
        f"{VOLUMES}/volumes/{ident}",
        {"volume": dict(changes)},
        resource=ident,
        args=changes,
        if_match=if_match,
        read=_volume,
    )


def extend(ident: str, new_size: int) -> Request:
    return _act("volume.extend", ident, {"os-extend": {"new_size": new_size}}, new_size=new_size)


def revert(ident: str, snapshot: str) -> Request:
    return _act("volume.revert", ident, {"revert": {"snapshot_id": snapshot}}, snapshot=snapshot)


def reset(ident: str, status: str) -> Request:
    return _act("volume.reset", ident, {"os-reset_status": {"status": status}}, status=status)


def delete_volume(ident: str, *, cascade: bool, if_match: str | None) -> Request:
    path = f"{VOLUMES}/volumes/{ident}{'?cascade=true' if cascade else ''}"
    return Request(
        "volume.delete", "DELETE", path, resource=ident, args={"cascade": cascade}, if_match=if_match
    )


def create_snapshot(volume: str, name: str) -> Request:
    body = {"snapshot": {"volume_id": volume, "name": name}}
    args = {"volume": volume, "name": name}
    return Request("snapshot.create", "POST", f"{VOLUMES}/snapshots", body, args=args, read=_snapshot)


def show_snapshot(ident: str, volume: str) -> Request:
    path = f"{VOLUMES}/snapshots/{ident}"
    return Request("snapshot.show", "GET", path, resource=ident, args={"volume": volume}, read=_snapshot)


def delete_snapshot(ident: str, volume: str) -> Request:
    path = f"{VOLUMES}/snapshots/{ident}"
    return Request("snapshot.delete", "DELETE", path, resource=ident, args={"volume": volume})


def create_attachment(volume: str) -> Request:
    body = {"attachment": {"volume_uuid": volume}}
    path = f"{VOLUMES}/attachments"
    return Request("attachment.create", "POST", path, body, args={"volume": volume}, read=_attachment)


def connect_attachment(ident: str, volume: str) -> Request:
    """Return the request for a connection of this host, the only one that reaches plain directories."""
    return Request(
        "attachment.connect",
        "PUT",
        f"{VOLUMES}/attachments/{ident}",
        {"attachment": {"connector": {"host": os.uname().nodename, "ip": "127.0.0.1"}}},
        resource=ident,
        args={"volume": volume},
        read=_attachment,
    )


def complete_attachment(ident: str, volume: str) -> Request:
    path = f"{VOLUMES}/attachments/{ident}/action"
    body: dict[str, object] = {"os-complete": {}}
    return Request("attachment.complete", "POST", path, body, resource=ident, args={"volume": volume})


def delete_attachment(ident: str, volume: str) -> Request:
    path = f"{VOLUMES}/attachments/{ident}"
    return Request("attachment.delete", "DELETE", path, resource=ident, args={"volume": volume})


def offer(volume: str) -> Request:
    body = {"transfer": {"volume_id": volume}}
    path = f"{VOLUMES}/volume-transfers"
    return Request("transfer.create", "POST", path, body, args={"volume": volume}, read=_transfer)


def withdraw(ident: str, volume: str) -> Request:
    path = f"{VOLUMES}/volume-transfers/{ident}"
    return Request("transfer.delete", "DELETE", path, resource=ident, args={"volume": volume})


def accept(ident: str, volume: str, key: str) -> Request:
    return Request(
        "transfer.accept",
        "POST",
        f"{VOLUMES}/volume-transfers/{ident}/accept",
        {"accept": {"auth_key": key}},
        resource=ident,
        args={"volume": volume},
        read=_transfer,
    )


def create_bay(tenant: Tenant, name: str, nodes: int) -> Request:
    body = {
        "name": name,
        "cluster_template_id": tenant.baymodel,
        NODES: nodes,
        "create_timeout": MINUTES,
    }
    args = {"name": name, NODES: nodes}
    return Request("bay.create", "POST", BAYS, body, args=args, read=lambda answer: {"id": answer["uuid"]})


def show_bay(ident: str) -> Request:
    return Request("bay.show", "GET", f"{BAYS}/{ident}", resource=ident, read=_bay)


def list_bays() -> Request:
    def read(document: Any) -> dict[str, Any]:
        return {"bays": {each["uuid"]: _bay(each) for each in document["clusters"]}}

    return Request("bay.list", "GET", f"{BAYS}/detail", read=read)


def resize_bay(ident: str, nodes: int, if_match: str | None) -> Request:
    """Return the request for another number of nodes, by a JSON patch."""
    patch = [{"op": "replace", "path": f"/{NODES}", "value": nodes}]
    args = {NODES: nodes}
    return Request(
        "bay.resize",
        "PATCH",
        f"{BAYS}/{ident}",
        patch,
        resource=ident,
        args=args,
        if_match=if_match,
    )


def delete_bay(ident: str, if_match: str | None) -> Request:
    return Request("bay.delete", "DELETE", f"{BAYS}/{ident}", resource=ident, if_match=if_match)


def _act(action: str, ident: str, body: Mapping[str, Any], **args: Any) -> Request:
    return Request(action, "POST", f"{VOLUMES}/volumes/{ident}/action", body, resource=ident, args=args)


def _seen(volume: Mapping[str, Any]) -> dict[str, Any]:
    return {name: volume[name] for name in ("status", "size", "name", "metadata")}


def _volume(document: Any) -> dict[str, Any]:
    return {"id": document["volume"]["id"], **_seen(document["volume"])}


def _snapshot(document: Any) -> dict[str, Any]:
    found = document["snapshot"]
    return {name: found[name] for name in ("id", "status", "size", "volume_id")}


def _attachment(document: Any) -> dict[str, Any]:
    return {name: document["attachment"][name] for name in ("id", "status")}


def _transfer(document: Any) -> dict[str, Any]:
    found = document["transfer"]
    return {name: found[name] for name in ("id", "volume_id", "auth_key") if name in found}


def _bay(document: Any) -> dict[str, Any]:
    return {"id": document["uuid"], "status": document["status"], NODES: document[NODES]}
