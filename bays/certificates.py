"""Certificates of bays: an authority is made, requests for certificates are checked and signed.

No private key leaves this module but sealed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings

from bays.sealing import Unreadable, seal, unseal

MOST_CHARACTERS: Final = 16_384
MOST_NAMES: Final = 100
RSA_BITS: Final = range(2048, 8193)
CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
HASHES: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
SUBJECT: Final = (
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.ORGANIZATIONAL_UNIT_NAME,
    NameOID.COUNTRY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.LOCALITY_NAME,
)
USAGES: Final = ("digital_signature", "content_commitment", "key_encipherment")
OTHER_USAGES: Final = ("data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
PURPOSES: Final = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
SKEW: Final = timedelta(hours=1)  # for machines whose clocks are behind ours
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,64}")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*", re.IGNORECASE | re.ASCII)


class InvalidRequest(Exception):
    """The certificate signing request is not signed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority: its certificate in PEM, and its key, sealed."""

    pem: str
    sealed_key: bytes


def make(ident: str, name: str) -> Issuer:
    """Make an authority for the bay with this id and name."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = ((NameOID.COMMON_NAME, ident), (NameOID.ORGANIZATION_NAME, name[:64]))
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=settings.CERTIFICATE_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )
    raw = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return Issuer(pem(certificate), seal(raw))


def sign(issuer: Issuer, text: str) -> x509.Certificate:
    """Return the certificate that a request in PEM asks for. It never outlives its authority's.

    :raises InvalidRequest: the request is malformed or weak, or asks for what it may not have.
    :raises Unreadable: the authority's key cannot be unsealed, or is another one's.
    """
    request = _parsed(text)
    public = _strong_key(request)
    _check_subject(request.subject)
    extensions = list(_extensions(request))
    own = x509.load_pem_x509_certificate(issuer.pem.encode())
    if request.subject == own.subject or public == own.public_key():
        raise InvalidRequest("Its subject or its key is that of the authority.")
    identifier = own.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(own.subject, request.subject, public, x509.random_serial_number())
        .not_valid_before(max(now - SKEW, own.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(days=settings.CERTIFICATE_DAYS), own.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(_key_of(issuer, own), hashes.SHA256())


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate as text."""
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_of(issuer: Issuer, own: x509.Certificate) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(unseal(issuer.sealed_key), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != own.public_key():
        raise Unreadable("the key is not that of the certificate beside it")
    return key


def _parsed(text: str) -> x509.CertificateSigningRequest:
    if len(text) > MOST_CHARACTERS:
        raise InvalidRequest(f"It is longer than {MOST_CHARACTERS} characters.")
    try:
        return x509.load_pem_x509_csr(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest("It is no PKCS#10 request in PEM.") from None


def _strong_key(
    request: x509.CertificateSigningRequest,
) -> rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    """Return the key that is to be certified, if it is strong and its owner signed the request with it."""
    try:
        key, digest = request.public_key(), request.signature_hash_algorithm
        signed = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidRequest("Its key or its signature is of no known kind.") from None
    match key:
        case rsa.RSAPublicKey() if key.key_size not in RSA_BITS:
            raise InvalidRequest(
                f"Its RSA key has {key.key_size} bits: {RSA_BITS[0]} to {RSA_BITS[-1]} are taken."
            )
        case rsa.RSAPublicKey() | ed25519.Ed25519PublicKey():
            pass
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, CURVES):
            pass
        case _:
            raise InvalidRequest("Its key must be RSA, ECDSA on P-256, P-384 or P-521, or Ed25519.")
    if not isinstance(key, ed25519.Ed25519PublicKey) and not isinstance(digest, HASHES):
        raise InvalidRequest("It must be signed with SHA-256, SHA-384 or SHA-512.")
    if not signed:
        raise InvalidRequest("Its signature is not that of its key.")
    return key


def _check_subject(subject: x509.Name) -> None:
    for attribute in subject:
        value = attribute.value
        if attribute.oid not in SUBJECT:
            raise InvalidRequest("Its subject may have CN, O, OU, C, ST and L, and nothing else.")
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            raise InvalidRequest("Each part of its subject must be 1 to 64 printable characters.")
    if len(subject.get_attributes_for_oid(NameOID.COMMON_NAME)) != 1:
        raise InvalidRequest("Its subject must have one common name.")
    if len(list(subject)) > MOST_NAMES:
        raise InvalidRequest(f"Its subject has more than {MOST_NAMES} parts.")


def _extensions(request: x509.CertificateSigningRequest) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """Yield the extensions of the certificate: of those asked for the ones that a member of a cluster needs.

    What is not among them is left out, or refused where the request insists on it.
    """
    usages, purposes = set(USAGES) - {"content_commitment"}, list(PURPOSES)
    try:
        asked = list(request.extensions)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise InvalidRequest("Its extensions cannot be read.") from None
    for extension in asked:
        match extension.value:
            case x509.SubjectAlternativeName() as names:
                _check_names(names)
                yield names, extension.critical
            case x509.KeyUsage() as usage:
                others = any(getattr(usage, name) for name in OTHER_USAGES)
                usages = {name for name in USAGES if getattr(usage, name)}
                _insist(extension, possible=bool(usages) and not others)
            case x509.ExtendedKeyUsage() as purpose:
                purposes = [oid for oid in PURPOSES if oid in purpose]
                _insist(extension, possible=len(purposes) == len(list(purpose)))
            case x509.BasicConstraints() as constraints:
                if constraints.ca:
                    raise InvalidRequest("It asks to be an authority.")
            case x509.SubjectKeyIdentifier():
                pass  # it is made from the key
            case _:
                _insist(extension, possible=False)
    if not usages or not purposes:
        raise InvalidRequest("Nothing is left of what it asks its key to be used for.")
    yield _usage(*usages), True
    yield x509.ExtendedKeyUsage(purposes), False


def _insist(extension: x509.Extension[x509.ExtensionType], *, possible: bool) -> None:
    if extension.critical and not possible:
        raise InvalidRequest(f"It insists on an extension that is not given: {extension.oid.dotted_string}.")


def _check_names(names: x509.SubjectAlternativeName) -> None:
    if len(list(names)) > MOST_NAMES:
        raise InvalidRequest(f"It has more than {MOST_NAMES} alternative names.")
    for name in names:
        if isinstance(name, x509.IPAddress):
            continue
        if not isinstance(name, x509.DNSName) or not _HOST.fullmatch(name.value):
            raise InvalidRequest("Its alternative names must be host names and IP addresses.")


def _usage(*given: str) -> x509.KeyUsage:
    return x509.KeyUsage(
        **{name: name in given for name in (*USAGES, *OTHER_USAGES)}, encipher_only=False, decipher_only=False
    )
