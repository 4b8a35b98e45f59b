"""/v1/clustertemplates and /v1/baymodels."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, pages, patch_of, texts, truths
from api.pages import paginate
from api.patch import Patchable
from api.preconditions import Conditional
from api.problems import BadRequest
from bays import actions
from bays.documents import AMBIGUOUS, baymodels, one_baymodel
from bays.models import BayModel
from bays.serializers import MODEL_FIELDS, BayModelInput, baymodel_document
from bays.views.base import BayView, truth, validated
from identity import policy

SORT_KEYS = {
    "id": "created_at",
    "uuid": "pk",
    **{name: name for name in MODEL_FIELDS if name != "labels"},
    **{name: name for name in ("project_id", "user_id", "created_at", "updated_at")},
}
FILTERS = ("name", "coe", "server_type", "cluster_distro", "network_driver")
FLAGS = ("public", "hidden", "tls_disabled")
PATCHABLE = Patchable(
    changeable=frozenset(MODEL_FIELDS),
    mandatory=frozenset(
        {"coe", "image_id", "name", "server_type", "network_driver", "external_network_id", "cluster_distro"}
        | {"tls_disabled", "registry_enabled", "public", "hidden"}
    ),
    internal=frozenset({"uuid", "links", "project_id", "user_id", "created_at", "updated_at"}),
    defaults={"floating_ip_enabled": True, "master_lb_enabled": False},
)


class BayModelsInDetail(BayView):
    policy = {"GET": "baymodel:list"}
    described = {
        "GET": Does(
            {200: baymodels}, query=(*pages(SORT_KEYS), *texts(*FILTERS), *truths("all_projects", *FLAGS))
        )
    }

    def get(self, request: Request) -> Response:
        """List the project's baymodels and the published ones; `all_projects=true` lists all, for admins."""
        visible = BayModel.objects.all()
        if truth(request, "all_projects"):
            policy.enforce(self.caller, "baymodel:all_projects")
        else:
            visible = visible.visible_to(self.caller.project)
        asked: dict[str, object] = {
            name: request.query_params[name] for name in FILTERS if name in request.query_params
        }
        asked |= {name: truth(request, name) for name in FLAGS if name in request.query_params}
        page = paginate(request, visible.filter(**asked), sort_keys=SORT_KEYS, default="id", markers=visible)
        rows = [baymodel_document(model, self.words, self.base) for model in page.rows]
        document: dict[str, object] = {self.words.baymodels: rows}
        if page.next:
            document["next"] = page.next
        return Response(document)


class BayModels(BayModelsInDetail):
    policy = {"GET": "baymodel:list", "POST": "baymodel:create"}
    described = {**BayModelsInDetail.described, "POST": Does({201: one_baymodel}, takes=BayModelInput)}

    def post(self, request: Request) -> Response:
        """Make a baymodel."""
        model = actions.create_baymodel(self.caller, validated(BayModelInput(data=request.data)))
        location = f"{self.base}/v1/{self.words.baymodels}/{model.pk}"
        document = baymodel_document(model, self.words, self.base)
        return Response(document, status=201, headers={"Location": location})


class BayModelDetail(Conditional, BayView):
    policy = {"GET": "baymodel:get", "PATCH": "baymodel:update", "DELETE": "baymodel:delete"}
    described = {
        "GET": Does({200: one_baymodel}, refuses=AMBIGUOUS),
        "PATCH": Does({200: one_baymodel}, takes=patch_of(BayModelInput, empty=True)),
        "DELETE": Does({204: None}),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show a baymodel, by id or name."""
        model = actions.find_baymodel(self.caller, ident)
        return self.show(model, baymodel_document(model, self.words, self.base))

    def patch(self, request: Request, ident: str) -> Response:
        """Change a baymodel by a JSON patch."""
        if not isinstance(request.data, list):
            raise BadRequest("A JSON patch is a list of operations.")
        model = actions.find_baymodel(self.caller, ident, own=True)
        changes = PATCHABLE.changes(baymodel_document(model, self.words, self.base), request.data)
        body = validated(BayModelInput(data=changes, partial=True))
        if body:
            model = actions.update_baymodel(self.caller, model, body, expected=self.expected)
        else:
            self.expected.check(model)
        return self.show(model, baymodel_document(model, self.words, self.base))

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Delete a baymodel to which no bay refers."""
        model = actions.find_baymodel(self.caller, ident, own=True)
        actions.delete_baymodel(model, expected=self.expected)
        return Response(status=204)
