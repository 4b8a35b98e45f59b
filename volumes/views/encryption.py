"""/types/{id}/encryption."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, wrapped
from api.openapi.schemas import ANYTHING, mapping, obj
from api.preconditions import Conditional
from api.problems import NotFound
from volumes.actions import encryption, types
from volumes.documents import one
from volumes.documents.catalog import BRIEF_ENCRYPTION, CHANGED_ENCRYPTION, ENCRYPTION
from volumes.serializers.types import EncryptionInput, encryption_document
from volumes.views.base import VolumeView, unwrapped, validated

TOLD = ("volume_type_id", "encryption_id", "provider", "control_location", "cipher", "key_size")


class TypeEncryption(Conditional, VolumeView):
    policy = {"GET": "type:get_all", "POST": "type:change"}
    described = {
        "GET": Does({200: {"anyOf": [ENCRYPTION, obj({})]}}),
        "POST": Does(
            {200: one("encryption", BRIEF_ENCRYPTION)}, takes=wrapped("encryption", EncryptionInput)
        ),
    }

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show how a type's volumes are to be encrypted; an empty object if they are not."""
        kind = types.find(self.caller, ident)
        found = encryption.encryption_of(kind)
        return self.show(kind, {} if found is None else encryption_document(found))

    def post(self, request: Request, ident: str) -> Response:
        """Say how a type's volumes are to be encrypted."""
        body = validated(EncryptionInput(data=unwrapped(request, "encryption")))
        kind = types.find(self.caller, ident)
        with self.holding(kind):
            document = encryption_document(encryption.encrypt(kind, body))
        return Response({"encryption": {name: document[name] for name in TOLD}})


class TypeEncryptionDetail(Conditional, VolumeView):
    """One key of an encryption to those who read; to those who write, the encryption, whatever they call it."""

    policy = {"GET": "type:get_all", "PUT": "type:change", "DELETE": "type:change"}
    described = {
        "GET": Does({200: mapping(ANYTHING, minProperties=1, maxProperties=1)}),
        "PUT": Does(
            {200: one("encryption", CHANGED_ENCRYPTION)},
            takes=wrapped("encryption", EncryptionInput, partial=True),
        ),
        "DELETE": Does({202: None}),
    }

    def get(self, request: Request, ident: str, key: str) -> Response:  # noqa: ARG002
        """Show one key."""
        kind = types.find(self.caller, ident)
        found = encryption.encryption_of(kind)
        document = {} if found is None else encryption_document(found)
        if key not in document:
            raise NotFound(f"The encryption of volume type {kind.pk} has no key {key[:255]}.")
        return self.show(kind, {key: document[key]})

    def put(self, request: Request, ident: str, key: str) -> Response:  # noqa: ARG002
        """Change how a type's volumes are to be encrypted."""
        body = validated(EncryptionInput(data=unwrapped(request, "encryption"), partial=True))
        kind = types.find(self.caller, ident)
        with self.holding(kind):
            encryption.change_encryption(kind, body)
        return Response({"encryption": body})

    def delete(self, request: Request, ident: str, key: str) -> Response:  # noqa: ARG002
        """Have a type's volumes encrypted no more."""
        kind = types.find(self.caller, ident)
        with self.holding(kind):
            encryption.decrypt(kind)
        return Response(status=202)
