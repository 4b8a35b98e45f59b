"""The routes of /volume that belong to a project: volumes, snapshots, attachments, transfers, messages, operations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.matrix.table import ANYONE, SAME, Row

BASE = "/volume/v3"
VOLUME, SNAPSHOT, ATTACHMENT = "/volumes/{volume}", "/snapshots/{snapshot}", "/attachments/{attachment}"
META, ITEM = {"metadata": {"a": "1"}}, {"meta": {"a": "1"}}
CONNECTOR = {"connector": {"host": "h1"}}
NO_WORKER = 503  # accepted; nobody connects hosts here, and the answer says that it goes on


def rows() -> Iterator[Row]:
    """Yield the rows."""
    yield Row("GET", "/volume", None, ANYONE, 300, SAME)
    yield Row("GET", "/volume/v3", None, ANYONE, 200, SAME)
    for method, path, *rest in (*ROUTES, *_transfers("volume-transfers"), *_transfers("os-volume-transfer")):
        yield Row(method, f"{BASE}{path}", *rest)
    for name, body, role, status in ACTIONS:
        yield Row("POST", f"{BASE}{VOLUME}/action", {name: body}, role, status)
    for name, body, role, status in SNAPSHOT_ACTIONS:
        yield Row("POST", f"{BASE}{SNAPSHOT}/action", {name: body}, role, status)


def _transfers(word: str) -> Iterator[tuple[Any, ...]]:
    """Yield the routes of transfers, under one of their names."""
    yield ("GET", f"/{word}", None, "reader", 200, SAME)
    yield ("GET", f"/{word}/detail", None, "reader", 200, SAME)
    yield ("POST", f"/{word}", {"transfer": {"volume_id": "{volume}"}}, "member", 202)
    yield ("GET", f"/{word}/{{transfer}}", None, "reader", 200)
    yield ("DELETE", f"/{word}/{{transfer}}", None, "member", 202)
    yield ("POST", f"/{word}/{{transfer}}/accept", {"accept": {"auth_key": "{key}"}}, "member", 202, SAME)


ROUTES: tuple[tuple[Any, ...], ...] = (
    ("GET", "/volumes", None, "reader", 200, SAME),
    ("GET", "/volumes?all_tenants=1", None, "reader", 200, SAME),
    ("GET", "/volumes/detail", None, "reader", 200, SAME),
    ("GET", "/volumes/summary", None, "reader", 200, SAME),
    ("POST", "/volumes", {"volume": {"size": 1}}, "member", 202, SAME),
    ("POST", "/volumes", {"volume": {"source_volid": "{volume}"}}, "member", 202),
    ("POST", "/volumes", {"volume": {"snapshot_id": "{snapshot}"}}, "member", 202),
    ("GET", VOLUME, None, "reader", 200),
    ("PUT", VOLUME, {"volume": {"name": "x"}}, "member", 200),
    ("DELETE", VOLUME, None, "member", 202),
    ("DELETE", f"{VOLUME}?force=true", None, "admin", 202),
    ("GET", f"{VOLUME}/encryption", None, "reader", 200),
    ("GET", f"{VOLUME}/metadata", None, "reader", 200),
    ("POST", f"{VOLUME}/metadata", META, "member", 200),
    ("PUT", f"{VOLUME}/metadata", META, "member", 200),
    ("GET", f"{VOLUME}/metadata/a", None, "reader", 200),
    ("PUT", f"{VOLUME}/metadata/a", ITEM, "member", 200),
    ("DELETE", f"{VOLUME}/metadata/a", None, "member", 200),
    ("GET", "/snapshots", None, "reader", 200, SAME),
    ("GET", "/snapshots/detail", None, "reader", 200, SAME),
    ("POST", "/snapshots", {"snapshot": {"volume_id": "{volume}"}}, "member", 202),
    ("GET", SNAPSHOT, None, "reader", 200),
    ("PUT", SNAPSHOT, {"snapshot": {"name": "x"}}, "member", 200),
    ("DELETE", SNAPSHOT, None, "member", 202),
    ("GET", f"{SNAPSHOT}/metadata", None, "reader", 200),
    ("POST", f"{SNAPSHOT}/metadata", META, "member", 200),
    ("PUT", f"{SNAPSHOT}/metadata", META, "member", 200),
    ("GET", f"{SNAPSHOT}/metadata/a", None, "reader", 200),
    ("PUT", f"{SNAPSHOT}/metadata/a", ITEM, "member", 200),
    ("DELETE", f"{SNAPSHOT}/metadata/a", None, "member", 200),
    ("GET", "/attachments", None, "reader", 200, SAME),
    ("GET", "/attachments/detail", None, "reader", 200, SAME),
    (
        "POST",
        "/attachments",
        {"attachment": {"volume_uuid": "{volume}", "instance_uuid": "{bay}"}},
        "member",
        200,
    ),
    ("GET", ATTACHMENT, None, "reader", 200),
    ("PUT", ATTACHMENT, {"attachment": CONNECTOR}, "member", NO_WORKER),
    ("DELETE", ATTACHMENT, None, "member", 200),
    ("POST", f"{ATTACHMENT}/action", {"os-complete": {}}, "member", 400),  # it is not connected yet
    ("GET", "/messages", None, "reader", 200, SAME),
    ("GET", "/messages/{message}", None, "reader", 200),
    ("DELETE", "/messages/{message}", None, "member", 204),
    ("GET", "/operations", None, "reader", 200, SAME),
    ("GET", "/events", None, "reader", 200, SAME),
    ("GET", "/events?all_projects=true", None, "admin", 200),
    ("GET", "/operations/{operation}", None, "reader", 200),
)
ACTIONS: tuple[tuple[str, Any, str, int], ...] = (
    ("os-reserve", {}, "member", 202),
    ("os-unreserve", {}, "member", 202),
    ("os-begin_detaching", {}, "member", 400),
    ("os-roll_detaching", {}, "member", 202),
    ("os-attach", {"instance_uuid": "{bay}", "mountpoint": "/dev/vdb"}, "member", 202),
    ("os-detach", {}, "member", 202),
    ("os-force_detach", {}, "admin", 202),
    ("os-initialize_connection", CONNECTOR, "member", NO_WORKER),
    ("os-terminate_connection", CONNECTOR, "member", 202),
    ("os-extend", {"new_size": 2}, "member", 202),
    ("os-retype", {"new_type": "__DEFAULT__"}, "member", 400),
    ("revert", {"snapshot_id": "{snapshot}"}, "member", 400),
    ("os-set_bootable", {"bootable": True}, "member", 200),
    ("os-update_readonly_flag", {"readonly": True}, "member", 202),
    ("os-show_image_metadata", {}, "reader", 200),
    ("os-set_image_metadata", {}, "member", 400),
    ("os-unset_image_metadata", {}, "member", 404),
    ("os-volume_upload_image", {}, "member", 400),
    ("os-reimage", {}, "member", 400),
    ("os-reset_status", {"status": "error"}, "admin", 202),
    ("os-force_delete", {}, "admin", 202),
    ("os-migrate_volume", {}, "admin", 400),
    ("os-migrate_volume_completion", {}, "admin", 400),
    ("os-extend_volume_completion", {}, "admin", 400),
    ("os-unmanage", {}, "admin", 400),
)
SNAPSHOT_ACTIONS: tuple[tuple[str, Any, str, int], ...] = (
    ("os-reset_status", {"status": "error"}, "admin", 202),
    ("os-force_delete", {}, "admin", 202),
    ("os-update_snapshot_status", {"status": "error"}, "member", 400),
    ("os-unmanage", {}, "admin", 400),
)
