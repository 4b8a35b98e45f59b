"""Routes that exercise the door: one small service over users, and the real identity routes beside it."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError, connection
from django.urls import include, path
from rest_framework.response import Response

from api import fields
from api.health import healthz
from api.pages import paginate, paginate_by_sort
from api.problems import BadRequest, Busy, Conflict, NotFound, OverQuota
from api.versions import BLOCK_STORAGE, CONTAINER_INFRA, Version
from api.views import ResourceView
from bays.models import BayModel
from identity.callers import caller_of
from identity.models import User
from lifecycle.errors import Missing, StateConflict

RAISED = {
    "over-quota": OverQuota("No room. Delete something first."),
    "conflict": Conflict("Not now."),
    "busy": Busy("Read by a clone."),
    "not-found": NotFound("Nothing here."),
    "missing": Missing("Gone."),
    "state": StateConflict("Busy: UPDATE_IN_PROGRESS.", event="delete", found="UPDATE_IN_PROGRESS"),
    "denied": PermissionDenied(),
    "suspicious": SuspiciousOperation("secret detail"),
    "database": OperationalError("secret detail"),
    "fault": ZeroDivisionError("secret detail"),
}


class Thing(fields.StrictSerializer):
    name = fields.Text(max_length=10)
    count = fields.Integer(min_value=0, max_value=5, required=False)
    public = fields.Truth(required=False)
    labels = fields.Labels(required=False)
    keypair = fields.Reference()
    uuid = fields.Text(read_only=True)


class Things(ResourceView):
    service = CONTAINER_INFRA
    policy = {"GET": "bay:list", "POST": "bay:create"}

    def get(self, request):
        keys = {"id": "pk", "name": "username", "seen": "last_login"}
        page = paginate(request, User.objects.all(), sort_keys=keys, default="id")
        return Response({"names": [user.username for user in page.rows], "next": page.next})

    def post(self, request):
        thing = Thing(data=request.data)
        thing.is_valid(raise_exception=True)
        return Response(
            {**thing.validated_data, "by": caller_of(request).user_name, "request_id": self.request_id},
            status=201,
        )

    def delete(self, request):
        """Stand without a rule in the policy: nobody may ever get here."""
        raise AssertionError


class Late(ResourceView):
    service = CONTAINER_INFRA
    policy = {"GET": "bay:list"}
    since = Version(1, 7)

    def get(self, request):
        return Response({"version": str(self.version)})


class Raising(ResourceView):
    service = CONTAINER_INFRA
    policy = {"GET": "bay:list"}

    def get(self, request, what):
        raise RAISED[what]


class Sorted(ResourceView):
    service = BLOCK_STORAGE
    policy = {"GET": "bay:list"}

    def get(self, request):
        keys = {"id": "pk", "name": "name", "coe": "coe", "key": "keypair_id", "created_at": "created_at"}
        models = BayModel.objects.exclude(name=request.query_params.get("without", ""))
        page = paginate_by_sort(request, models, sort_keys=keys, markers=BayModel.objects.all())
        return Response({"models": [model.name for model in page.rows], "models_links": page.links})


class Stored(ResourceView):
    """Makes a user for each POST, unless it is told to fail, and tells from outside what became of it."""

    service = BLOCK_STORAGE
    policy = {"POST": "bay:create"}

    def post(self, request):
        how = request.data.get("how")
        user = User.objects.create(username=request.data["name"])
        if how == "raises":
            raise BadRequest("Refused after a write.")
        if how == "returns":
            return Response({"badRequest": {}}, status=400)
        if how == "breaks":
            raise ZeroDivisionError
        if how == "empty":
            return Response(status=202)
        headers = {"Location": f"/here/{user.pk}", "X-Other": "1"}
        return Response({"z": user.pk, "a": user.username, "at": user.date_joined}, 202, headers=headers)

    def finish(self, request, response):
        response["X-Finished"] = f"{request.method} {connection.in_atomic_block}"
        return response


class Refusing(Raising):
    service = BLOCK_STORAGE


urlpatterns = [
    path("healthz", healthz),
    path("", include("identity.urls")),
    path("container-infra/v1/things", Things.as_view()),
    path("container-infra/v1/late", Late.as_view()),
    path("container-infra/v1/raising/<str:what>", Raising.as_view()),
    path("volume/v3/raising/<str:what>", Refusing.as_view()),
    path("volume/v3/sorted", Sorted.as_view()),
    path("volume/v3/stored", Stored.as_view()),
]
handler400 = "api.errors.bad_request"
handler403 = "api.errors.forbidden"
handler404 = "api.errors.not_found"
handler500 = "api.errors.fault"
