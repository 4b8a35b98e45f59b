"""The certificate authorities of bays: found or made, asked to sign, replaced.

An authority is made when it is first needed, by whoever needs it first: to accept a bay costs nothing for it, and of
any number of first users one makes it.
"""

from __future__ import annotations

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from api.preconditions import ANY, Expected
from api.problems import BadRequest, Conflict, NotFound, Unavailable
from bays import certificates, sealing
from bays.certificates import InvalidRequest, Issuer
from bays.models import Authority, Bay
from bays.sealing import Unreadable
from identity.callers import Caller
from lifecycle import requests
from lifecycle.requests import Asked
from lifecycle.swap import swap

log = structlog.get_logger(__name__)


def authority_of(bay: Bay) -> Authority:
    """Return the bay's authority; make it if nobody has needed it yet.

    :raises BadRequest: the bay has TLS disabled.
    :raises NotFound: the bay was removed meanwhile.
    """
    if bay.baymodel.tls_disabled:
        raise BadRequest("The bay has TLS disabled, and so no certificates.")
    found = Authority.objects.filter(pk=bay.pk).first()
    if found is None:
        _insert(bay)
        found = Authority.objects.filter(pk=bay.pk).first()
    if found is None:
        raise NotFound(f"The bay {bay.pk} could not be found.")
    return found


def sign(by: Caller, bay: Bay, csr: str) -> str:
    """Return the certificate that a request asks for, in PEM.

    :raises BadRequest: the request is not one that is signed, or the bay has TLS disabled.
    :raises Unavailable: the authority's key cannot be unsealed on this node.
    """
    authority = authority_of(bay)
    try:
        signed = certificates.sign(Issuer(authority.pem, bytes(authority.sealed_key)), csr)
    except InvalidRequest as invalid:
        raise BadRequest(f"csr: {invalid.reason}") from invalid
    except Unreadable as sealed:
        log.error("an authority's key cannot be unsealed", bay=str(bay.pk), reason=str(sealed))  # noqa: TRY400
        raise Unavailable(
            "The key of the bay's authority cannot be read. Its operator knows why.",
            code="authority-unreadable",
        ) from None
    serial, subject = f"{signed.serial_number:x}", signed.subject.rfc4514_string()
    log.info("certificate signed", bay=str(bay.pk), user=by.user_id, serial=serial, subject=subject)
    return certificates.pem(signed)


def rotate(by: Caller, request_id: str, bay: Bay, *, expected: Expected = ANY) -> None:
    """Replace the bay's authority: what the old one signed is worth nothing to who knows the new one.

    :raises BadRequest: the bay has TLS disabled.
    :raises StateConflict: the bay's status does not allow it.
    :raises Conflict: another request replaces it at the same moment.
    :raises PreconditionFailed: the bay is not as expected.
    """
    generation = authority_of(bay).generation
    made = certificates.make(str(bay.pk), bay.name)
    anew = {"pem": made.pem, "sealed_key": made.sealed_key, "updated_at": Now()}
    asked = Asked(by.user_id, bay.project_id, request_id)
    with transaction.atomic(), expected.of(bay) as guards:
        requests.change(bay, "rotate_ca", asked, name=bay.name, **guards)
        values = {**anew, "generation": F("generation") + 1}
        if swap(Authority, pk=bay.pk, generation=generation, values=values) is None:
            raise Conflict("The bay's authority was replaced by another request at the same moment.")


def reseal() -> tuple[int, list[str]]:
    """Seal every key under the first of CERTIFICATE_KEYS; return how many were not, and whose are unreadable."""
    return sealing.reseal(Authority.objects.all(), "sealed_key")


def _insert(bay: Bay) -> None:
    """Insert an authority unless there is one; waits for a session that is just inserting one."""
    made = certificates.make(str(bay.pk), bay.name)
    row = Authority(bay_id=bay.pk, pem=made.pem, sealed_key=made.sealed_key)
    Authority.objects.bulk_create([row], ignore_conflicts=True)
