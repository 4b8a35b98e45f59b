"""What Cinder has and we have not: lists that are empty, so that clients' pages show, and refusals that say so."""

from __future__ import annotations

from typing import Final, NoReturn

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does
from api.openapi.schemas import ANYTHING, array
from api.problems import BadRequest, NotFound
from api.versions import Version
from volumes.documents import one
from volumes.views.base import VolumeView

# By path: the key of the list, the microversion that brought it, and what it is called.
ABSENT: Final[dict[str, tuple[str, Version | None, str]]] = {
    "backups": ("backups", None, "Backups"),
    "consistencygroups": ("consistencygroups", None, "Consistency groups"),
    "cgsnapshots": ("cgsnapshots", None, "Snapshots of consistency groups"),
    "groups": ("groups", Version(3, 13), "Groups"),
    "group_types": ("group_types", Version(3, 11), "Group types"),
    "group_snapshots": ("group_snapshots", Version(3, 14), "Group snapshots"),
    "os-volume-manage": ("manageable-volumes", None, "Managing what is there already"),
    "os-snapshot-manage": ("manageable-snapshots", None, "Managing what is there already"),
    "manageable_volumes": ("manageable-volumes", Version(3, 8), "Managing what is there already"),
    "manageable_snapshots": ("manageable-snapshots", Version(3, 8), "Managing what is there already"),
}


class Absent(VolumeView):
    """A collection that is always empty."""

    policy = {"GET": "absent:list", "POST": "absent:ask"}
    described = {
        "GET": Does({200: lambda view: one(view.key, array(ANYTHING, maxItems=0))}),
        "POST": Does({}, takes=ANYTHING),
    }
    key = ""
    what = ""

    def get(self, request: Request) -> Response:  # noqa: ARG002
        """List nothing."""
        return Response({self.key: []})

    def post(self, request: Request) -> NoReturn:
        """Refuse to make one."""
        del request
        raise BadRequest(f"{self.what}: not offered here.")


class AbsentDetail(VolumeView):
    """One of a collection that is always empty."""

    policy = dict.fromkeys(("GET", "PUT", "DELETE", "POST"), "absent:list")
    described = dict.fromkeys(policy, Does({}))
    what = ""

    def get(self, request: Request, ident: str, rest: str = "") -> NoReturn:  # noqa: ARG002
        """Find nothing."""
        del request
        raise NotFound(f"{ident[:255]} could not be found. {self.what}: not offered here.")

    put = delete = post = get


def absent(path: str) -> tuple[type[Absent], type[AbsentDetail]]:
    """Return the views of a collection and of one of it."""
    key, since, what = ABSENT[path]
    shared = {"since": since, "what": what}
    return type("Absent", (Absent,), {**shared, "key": key}), type("AbsentDetail", (AbsentDetail,), shared)
