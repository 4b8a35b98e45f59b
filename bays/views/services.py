"""/v1/mservices, and /v1/federations, which there are none of."""

from __future__ import annotations

from typing import Any, NoReturn

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does
from api.openapi.schemas import OBJECT, listed
from api.problems import BadRequest, NotFound
from bays import services
from bays.documents import FEDERATIONS, SERVICE
from bays.serializers import moment
from bays.services import Service
from bays.views.base import BayView

DRAINING = "The node is being drained."


def service_document(service: Service) -> dict[str, Any]:
    """Return a service as Magnum tells of its conductors."""
    return {
        "id": service.number,
        "host": service.host,
        "binary": services.CONDUCTOR,
        "state": "up" if service.up else "down",
        "report_count": service.reports,
        "disabled": service.draining,
        "disabled_reason": DRAINING if service.draining else None,
        "forced_down": False,
        "last_seen_up": moment(service.seen_at),
        "created_at": moment(service.started_at),
        "updated_at": moment(service.seen_at),
    }


class Services(BayView):
    policy = {"GET": "mservice:list"}
    described = {"GET": Does({200: listed("mservices", SERVICE)})}

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List the workers, by host. The list is whole: there are no pages of it."""
        return Response({"mservices": [service_document(service) for service in services.services()]})


class Federations(BayView):
    policy = {"GET": "federation:get", "POST": "federation:create"}
    described = {"GET": Does({200: FEDERATIONS}), "POST": Does({}, takes=OBJECT)}

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List nothing, as Magnum does."""
        return Response({"federations": []})

    def post(self, request: Request) -> NoReturn:
        """Refuse: Magnum accepts it, and never does it."""
        if not isinstance(request.data, dict):
            raise BadRequest("The body must be an object.")
        raise BadRequest("Federations are not offered: Magnum has their routes, and nothing behind them.")


class FederationDetail(BayView):
    policy = {"GET": "federation:get", "PATCH": "federation:create", "DELETE": "federation:create"}
    described = dict.fromkeys(policy, Does({}))  # each is refused

    def get(self, request: Request, ident: str) -> NoReturn:  # noqa: ARG002
        """Find none."""
        raise NotFound(f"The federation {ident[:255]} could not be found.")

    def patch(self, request: Request, ident: str) -> NoReturn:
        """Find none."""
        self.get(request, ident)

    def delete(self, request: Request, ident: str) -> NoReturn:
        """Find none."""
        self.get(request, ident)
