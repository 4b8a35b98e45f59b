"""/volume-transfers, and /os-volume-transfer as older clients know it: the same offers under two names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from api.openapi.methods import Does, sorted_pages, wrapped
from api.pages import paginate_by_sort
from api.preconditions import Conditional
from api.versions import Version
from identity import policy
from volumes.actions import transfers as actions
from volumes.actions.guarding import find_volume
from volumes.documents import one, page
from volumes.documents.stored import ALL_TENANTS, OFFER, TRANSFER, TRANSFER_SUMMARY
from volumes.models import Transfer
from volumes.serializers.transfers import AcceptInput, TransferInput, transfer_document, transfer_summary
from volumes.serializers.volumes import Reader
from volumes.views import filtering
from volumes.views.base import VolumeView, truth, unwrapped, validated
from volumes.views.filtering import Filter
from volumes.views.volumes import reader_of

SINCE: Final = Version(3, 55)
PAGES: Final = 59  # minor version
SORT_KEYS: Final = {"id": "pk", "name": "name", "created_at": "created_at", "volume_id": "volume_id"}
FILTERS: Final = {
    "id": Filter(filtering.identity("pk")),
    "name": Filter(filtering.equal("name")),
    "volume_id": Filter(filtering.identity("volume_id")),
}
LISTED: Final = (*sorted_pages(SORT_KEYS), *filtering.parameters(FILTERS), *ALL_TENANTS)


Show = Callable[[Transfer, Reader, str], dict[str, Any]]


class TransferView(VolumeView):
    """A route of transfers."""

    since: ClassVar[Version | None] = SINCE
    collection = "volume-transfers"
    takes_snapshots_only = False
    """Whether the offers made here leave the volume's snapshots no choice: they go along."""


class OlderTransferView(TransferView):
    """The same route under its older name."""

    since = None
    collection = "os-volume-transfer"
    takes_snapshots_only = True


class TransfersInDetail(TransferView):
    policy = {"GET": "transfer:list"}
    described = {"GET": Does({200: page("transfers", TRANSFER)}, query=LISTED)}
    show: Show = staticmethod(transfer_document)

    def visible(self) -> QuerySet[Transfer]:
        may = policy.allows(self.caller, "transfer:all_projects")
        return actions.visible(self.caller, everybodys=may and truth(self.request, "all_tenants"))

    def get(self, request: Request) -> Response:
        """List the offers."""
        there = self.visible()
        found = filtering.narrow(self, there, FILTERS)
        page = paginate_by_sort(request, found, sort_keys=SORT_KEYS, markers=there)
        reader = reader_of(self)
        document: dict[str, object] = {
            "transfers": [self.show(offer, reader, self.collection) for offer in page.rows]
        }
        if page.links and self.at_least(PAGES):
            document["transfers_links"] = page.links
        return Response(document)


class Transfers(TransfersInDetail):
    policy = {"GET": "transfer:list", "POST": "transfer:create"}
    described = {
        "GET": Does({200: page("transfers", TRANSFER_SUMMARY)}, query=LISTED),
        "POST": Does({202: one("transfer", OFFER)}, takes=wrapped("transfer", TransferInput), refuses=(404,)),
    }
    show = staticmethod(transfer_summary)

    def post(self, request: Request) -> Response:
        """Offer a volume. What this returns may be kept for a replay, so the key is told by `finish`."""
        body = validated(TransferInput(data=unwrapped(request, "transfer")))
        volume = find_volume(self.caller, body["volume_id"])
        alone = body["no_snapshots"] and not self.takes_snapshots_only
        offer = actions.create(
            self.caller, self.request_id, volume, name=body.get("name", "").strip(), no_snapshots=alone
        )
        document = transfer_document(offer, reader_of(self), self.collection)
        return Response({"transfer": document}, status=202)

    def finish(self, request: Request, response: Response) -> Response:
        """Tell the key to who has just made the offer, or asks again with the same Idempotency-Key while it stands."""
        if request.method == "POST" and isinstance(response.data, dict) and "transfer" in response.data:
            offer = actions.visible(self.caller).filter(pk=response.data["transfer"]["id"]).first()
            if offer is not None:
                response.data["transfer"]["auth_key"] = actions.key_of(offer)
        return response


class TransferDetail(Conditional, TransferView):
    policy = {"GET": "transfer:get", "DELETE": "transfer:delete"}
    described = {"GET": Does({200: one("transfer", TRANSFER)}), "DELETE": Does({202: None})}

    def get(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Show an offer."""
        offer = actions.find_transfer(self.caller, ident)
        document = transfer_document(offer, reader_of(self), self.collection)
        return self.show(offer, {"transfer": document})

    def delete(self, request: Request, ident: str) -> Response:  # noqa: ARG002
        """Withdraw an offer."""
        offer = actions.find_transfer(self.caller, ident)
        with self.holding(offer, offer.volume):
            actions.delete(self.caller, self.request_id, offer)
        return Response(status=202)


class Accept(TransferView):
    policy = {"POST": "transfer:accept"}
    described = {"POST": Does({202: one("transfer", TRANSFER_SUMMARY)}, takes=wrapped("accept", AcceptInput))}

    def post(self, request: Request, ident: str) -> Response:
        """Take an offered volume over."""
        body = validated(AcceptInput(data=unwrapped(request, "accept")))
        offer = actions.accept(self.caller, self.request_id, ident, body["auth_key"])
        return Response({"transfer": transfer_summary(offer, reader_of(self), self.collection)}, status=202)


class OlderTransfersInDetail(OlderTransferView, TransfersInDetail):
    pass


class OlderTransfers(OlderTransferView, Transfers):
    pass


class OlderTransferDetail(OlderTransferView, TransferDetail):
    pass


class OlderAccept(OlderTransferView, Accept):
    pass
