"""/os-services and /os-hosts."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, texts
from api.openapi.schemas import OBJECT, listed
from api.problems import BadRequest, NotFound
from api.versions import Version
from volumes.actions import pools, services
from volumes.actions.services import STORAGE
from volumes.documents.catalog import CHANGED_SERVICE, HOST, LOG_LEVELS, SERVICE, USAGE
from volumes.serializers.services import (
    CLUSTER_REPLICATION,
    BackendInput,
    LogInput,
    ReasonInput,
    ServiceInput,
    host_document,
    service_document,
    usage_document,
)
from volumes.views.base import VolumeView, validated

EVERYBODY = "(total)"


class Services(VolumeView):
    policy = {"GET": "service:list"}
    described = {"GET": Does({200: listed("services", SERVICE)}, query=texts("host", "binary"))}

    def get(self, request: Request) -> Response:
        """List the services, by host (with or without its back-end) and binary."""
        query = request.query_params
        rows = services.services()
        if "binary" in query:
            rows = [row for row in rows if row.binary == query["binary"]]
        if "host" in query:
            rows = [row for row in rows if query["host"] in (row.host, row.node)]
        return Response({"services": [service_document(row, self.version) for row in rows]})


class ServiceView(VolumeView):
    policy = {"PUT": "service:change"}
    described = {"PUT": Does({200: CHANGED_SERVICE}, takes=ServiceInput, refuses=(404,))}

    def answer(self, body: dict[str, Any], *, disabled: bool, **more: str | None) -> Response:
        """Answer with what the request said, and what is so now."""
        document = {
            "host": body["host"],
            "service": body.get("service") or "",
            "binary": body.get("binary") or "",
            "status": "disabled" if disabled else "enabled",
            "disabled": disabled,
        }
        return Response({**document, **more})


class Enable(ServiceView):
    def put(self, request: Request) -> Response:
        """Have a service do work again."""
        body = validated(ServiceInput(data=request.data))
        services.enable(self.caller, services.find(body["host"], body.get("binary") or body["service"]))
        return self.answer(body, disabled=False, disabled_reason=None)


class Disable(ServiceView):
    def put(self, request: Request) -> Response:
        """Have a service take no more work."""
        body = validated(ServiceInput(data=request.data))
        found = services.find(body["host"], body.get("binary") or body["service"])
        services.disable(self.caller, found, None)
        return self.answer(body, disabled=True)


class DisableLogReason(ServiceView):
    described = {"PUT": Does({200: CHANGED_SERVICE}, takes=ReasonInput, refuses=(404,))}

    def put(self, request: Request) -> Response:
        """Have a service take no more work, and say why."""
        body = validated(ReasonInput(data=request.data))
        found = services.find(body["host"], body.get("binary") or body["service"])
        services.disable(self.caller, found, body["disabled_reason"])
        return self.answer(body, disabled=True, disabled_reason=body["disabled_reason"])


class Freeze(ServiceView):
    described = {"PUT": Does({200: None}, takes=BackendInput, refuses=(404,))}
    frozen = True

    def put(self, request: Request) -> Response:
        """Have nothing made or deleted in a back-end any more."""
        body = validated(BackendInput(data=request.data))
        cluster = body.get("cluster")
        if cluster and self.version < CLUSTER_REPLICATION:
            raise BadRequest("cluster is there from version 3.26 on: name a host.")
        backend = services.backend_of(cluster or body["host"])
        services.freeze(self.caller, backend, frozen=self.frozen)
        return Response()


class Thaw(Freeze):
    frozen = False


class Failover(ServiceView):
    described = {"PUT": Does({}, takes=OBJECT)}

    def put(self, request: Request) -> NoReturn:
        """Refuse: nothing is replicated here."""
        del request
        raise BadRequest("Fail-over is not offered: no back-end replicates its volumes.")


class FailoverOfClusters(Failover):
    since = Version(3, 26)


class GetLog(ServiceView):
    described = {"PUT": Does({200: LOG_LEVELS}, takes=LogInput)}
    since = Version(3, 32)

    def put(self, request: Request) -> Response:
        """Tell the log level, which is one for all services: it comes from the environment of the nodes."""
        body = validated(LogInput(data=request.data))
        wanted, host = body.get("binary") or "*", body.get("server")
        rows = [
            {"host": row.host, "binary": row.binary, "levels": {body.get("prefix") or "": settings.LOG_LEVEL}}
            for row in services.services()
            if row.up and row.node != pools.ANY_NODE
            if wanted in ("*", row.binary) and (not host or host in (row.host, row.node))
        ]
        return Response({"log_levels": rows})


class SetLog(ServiceView):
    described = {"PUT": Does({}, takes=LogInput)}
    since = Version(3, 32)

    def put(self, request: Request) -> NoReturn:
        """Refuse: no running process is asked for its level, so none would heed another."""
        validated(LogInput(data=request.data))
        raise BadRequest("Log levels are not set while a node runs: set LOG_LEVEL in its environment.")


class Hosts(VolumeView):
    policy = {"GET": "service:list"}
    described = {"GET": Does({200: listed("hosts", HOST)}, query=texts("zone"))}

    def get(self, request: Request) -> Response:
        """List the hosts of services, those of one zone if the query names one."""
        zone = request.query_params.get("zone")
        rows = [row for row in services.services() if not row.disabled and zone in (None, "", row.zone)]
        return Response({"hosts": [host_document(row) for row in rows]})


class HostDetail(VolumeView):
    policy = {"GET": "service:list"}
    described = {"GET": Does({200: listed("host", USAGE)})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show what projects store in the back-end of a host."""
        found = services.find(ident, STORAGE)
        if found.backend is None:
            raise NotFound(f"Host {ident[:255]} stores nothing.")
        usages = pools.usage_of(found.backend.name)
        rows = [
            usage_document(ident, EVERYBODY, pools.total(usages)),
            *(usage_document(ident, *each) for each in usages.items()),
        ]
        return Response({"host": rows})
