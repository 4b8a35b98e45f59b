"""Routes of attachments and transfers."""

from __future__ import annotations

from volumes.urls.routing import ONE, route
from volumes.views.attachments import AttachmentActions, AttachmentDetail, Attachments, AttachmentsInDetail
from volumes.views.transfers import (
    Accept,
    OlderAccept,
    OlderTransferDetail,
    OlderTransfers,
    OlderTransfersInDetail,
    TransferDetail,
    Transfers,
    TransfersInDetail,
)

urlpatterns = [
    route("attachments", Attachments),
    route("attachments/detail", AttachmentsInDetail),
    route(f"attachments/{ONE}", AttachmentDetail),
    route(f"attachments/{ONE}/action", AttachmentActions),
    route("volume-transfers", Transfers),
    route("volume-transfers/detail", TransfersInDetail),
    route(f"volume-transfers/{ONE}", TransferDetail),
    route(f"volume-transfers/{ONE}/accept", Accept),
    route("os-volume-transfer", OlderTransfers),
    route("os-volume-transfer/detail", OlderTransfersInDetail),
    route(f"os-volume-transfer/{ONE}", OlderTransferDetail),
    route(f"os-volume-transfer/{ONE}/accept", OlderAccept),
]
