"""/v1/certificates: the authority of a bay, what it signs, and its replacement."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.fields import StrictSerializer, Text
from api.openapi.methods import Does, texts
from api.preconditions import Conditional
from api.problems import BadRequest, NotFound
from bays import actions, authorities
from bays.certificates import MOST_CHARACTERS
from bays.documents import ACCEPTED, AMBIGUOUS, CERTIFICATE
from bays.models import Bay
from bays.serializers import links
from bays.views.base import BayView, validated

KIND = "kubernetes"  # Magnum's word for a cluster's one authority; its others are etcd and front-proxy


class CertificateInput(StrictSerializer):
    """A certificate that is asked for."""

    cluster_uuid = Text(max_length=255, required=False)
    bay_uuid = Text(max_length=255, required=False)
    csr = Text(max_length=MOST_CHARACTERS)
    ca_cert_type = Text(max_length=64, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Take the bay by either of its names, not by both."""
        if ("cluster_uuid" in attrs) == ("bay_uuid" in attrs):
            raise serializers.ValidationError(
                "cluster_uuid (or bay_uuid, the same in older words) is required."
            )
        return {"bay": attrs.get("cluster_uuid") or attrs.get("bay_uuid"), **attrs}


class Certificates(BayView):
    policy = {"POST": "certificate:create"}
    described = {"POST": Does({201: CERTIFICATE}, takes=CertificateInput)}

    def post(self, request: Request) -> Response:
        """Sign a request for a certificate."""
        body = validated(CertificateInput(data=request.data))
        _require_known(body.get("ca_cert_type"))
        try:
            bay = actions.find_bay(self.caller, body["bay"])
        except NotFound as unknown:  # the request's fault, as Magnum has it
            raise BadRequest(unknown.message) from unknown
        signed = authorities.sign(self.caller, bay, body["csr"])
        return Response(_document(bay, self.base, signed, body["csr"]), status=201)


class CertificateDetail(Conditional, BayView):
    policy = {"GET": "certificate:get", "PATCH": "certificate:rotate_ca"}
    described = {
        "GET": Does({200: CERTIFICATE}, query=texts("ca_cert_type"), refuses=AMBIGUOUS),
        "PATCH": Does({202: ACCEPTED}),
    }

    def get(self, request: Request, ident: str) -> Response:
        """Show the certificate of the bay's authority."""
        _require_known(request.query_params.get("ca_cert_type"))
        bay = actions.find_bay(self.caller, ident)
        return self.show(bay, _document(bay, self.base, authorities.authority_of(bay).pem, None))

    def patch(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Replace the bay's authority. The request needs no body, and what it has is not looked at."""
        bay = actions.find_bay(self.caller, ident)
        authorities.rotate(self.caller, self.request_id, bay, expected=self.expected)
        return Response({"uuid": str(bay.pk)}, status=202)


def _document(bay: Bay, base: str, pem: str, csr: str | None) -> dict[str, Any]:
    ident = str(bay.pk)
    return {
        "cluster_uuid": ident,
        "bay_uuid": ident,
        "pem": pem,
        "csr": csr,
        "ca_cert_type": KIND,
        "links": links(base, "certificates", ident),
    }


def _require_known(kind: str | None) -> None:
    if kind not in {None, KIND}:
        raise BadRequest(f"ca_cert_type: a bay has one authority, {KIND}.")
