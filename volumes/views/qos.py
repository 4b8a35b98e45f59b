"""/qos-specs. Cinder's clients associate by GET, so that is how it is done here."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Body, Does, Parameter, sorted_pages, truths, wrapped
from api.openapi.schemas import TEXT
from api.pages import paginate_by_sort
from api.preconditions import Conditional
from api.problems import BadRequest
from volumes.actions import qos
from volumes.documents import one, page
from volumes.documents.catalog import ASSOCIATIONS, ONE_QOS, QOS, SPECS
from volumes.models import QosSpecs
from volumes.serializers.qos import QosKeys, QosName, qos_changes, qos_document, qos_input
from volumes.serializers.types import Specs
from volumes.views.base import VolumeView, truth, unwrapped, validated
from volumes.views.filtering import Filter, equal, identity, narrow, parameters

SORT_KEYS = {
    "id": "pk",
    "name": "name",
    "consumer": "consumer",
    "created_at": "created_at",
    "updated_at": "updated_at",
}
FILTERS = {"id": Filter(identity("pk")), "name": Filter(equal("name")), "consumer": Filter(equal("consumer"))}
NEW = {**Specs.schema, "properties": {"name": TEXT}, "required": ["name"]}


class QosView(VolumeView):
    def document(self, row: QosSpecs) -> dict[str, Any]:
        """Return QoS specs and the links to them."""
        path = f"qos-specs/{row.pk}"
        bookmark = self.base.removesuffix("/v3")
        links = [
            {"rel": "self", "href": f"{self.base}/{path}"},
            {"rel": "bookmark", "href": f"{bookmark}/{path}"},
        ]
        return {"qos_specs": qos_document(row), "links": links}


class ManyQosSpecs(QosView):
    policy = {"GET": "qos:get", "POST": "qos:change"}
    described = {
        "GET": Does({200: page("qos_specs", QOS)}, query=(*sorted_pages(SORT_KEYS), *parameters(FILTERS))),
        "POST": Does({200: ONE_QOS}, takes=Body(wrapped("qos_specs", NEW).schema, (QosName,))),
    }

    def get(self, request: Request) -> Response:
        """List QoS specs."""
        everything = QosSpecs.objects.all()
        rows = narrow(self, everything, FILTERS)
        page = paginate_by_sort(request, rows, sort_keys=SORT_KEYS, markers=everything)
        document: dict[str, object] = {"qos_specs": [qos_document(row) for row in page.rows]}
        if page.links:
            document["qos_specs_links"] = page.links
        return Response(document)

    def post(self, request: Request) -> Response:
        """Make QoS specs."""
        row = qos.create(qos_input(unwrapped(request, "qos_specs")))
        return Response(self.document(row))


class QosSpecsDetail(Conditional, QosView):
    policy = {"GET": "qos:get", "PUT": "qos:change", "DELETE": "qos:change"}
    described = {
        "GET": Does({200: ONE_QOS}),
        "PUT": Does({200: one("qos_specs", SPECS)}, takes=wrapped("qos_specs", Specs.schema)),
        "DELETE": Does({202: None}, query=truths("force")),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show QoS specs."""
        row = qos.find(ident)
        return self.show(row, self.document(row))

    def put(self, request: Request, ident: str) -> Response:
        """Set some of the keys."""
        changes = qos_changes(unwrapped(request, "qos_specs"))
        row = qos.find(ident)
        with self.holding(row):
            qos.update(row, changes)
        told = {"consumer": changes["consumer"]} if "consumer" in changes else {}
        return Response({"qos_specs": {**changes["specs"], **told}})

    def delete(self, request: Request, ident: str) -> Response:
        """Delete QoS specs; `force=true` also those that types refer to."""
        row, force = qos.find(ident), truth(request, "force")
        with self.holding(row):
            qos.delete(row, force=force)
        return Response(status=202)


class QosKeysDeletion(Conditional, QosView):
    policy = {"PUT": "qos:change"}
    described = {"PUT": Does({202: None}, takes=QosKeys)}

    def put(self, request: Request, ident: str) -> Response:
        """Delete keys."""
        body = validated(QosKeys(data=request.data))
        row = qos.find(ident)
        with self.holding(row):
            qos.delete_keys(row, body["keys"])
        return Response(status=202)


class Associations(QosView):
    policy = {"GET": "qos:get"}
    described = {"GET": Does({200: ASSOCIATIONS})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """List the types for which the specs hold."""
        kinds = qos.find(ident).types.order_by("name")
        rows = [{"association_type": "volume_type", "id": str(kind.pk), "name": kind.name} for kind in kinds]
        return Response({"qos_associations": rows})


class Association(Conditional, QosView):
    """These change what they GET, so a HEAD is refused."""

    http_method_names = ["get"]
    policy = {"GET": "qos:change"}
    described = {"GET": Does({202: None}, query=(Parameter("vol_type_id", required=True),), refuses=(409,))}

    @property
    def type_id(self) -> str:
        """Return the type that is meant.

        :raises BadRequest: the query names none.
        """
        ident: str = self.request.query_params.get("vol_type_id", "")
        if not ident:
            raise BadRequest("vol_type_id is required.")
        return ident


class Associate(Association):
    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Have the specs hold for a type."""
        row, kind = qos.find(ident), self.type_id
        with self.holding(row):
            qos.associate(row, kind)
        return Response(status=202)


class Disassociate(Association):
    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Have the specs hold for a type no more."""
        row, kind = qos.find(ident), self.type_id
        with self.holding(row):
            qos.disassociate(row, kind)
        return Response(status=202)


class DisassociateAll(Association):
    described = {"GET": Does({202: None}, refuses=(409,))}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Have the specs hold for no type."""
        row = qos.find(ident)
        with self.holding(row):
            qos.disassociate_all(row)
        return Response(status=202)
