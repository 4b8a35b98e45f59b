"""Requests for certificates as users make them, good ones and bad ones."""

from __future__ import annotations

from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ADMIN = ((NameOID.COMMON_NAME, "admin"), (NameOID.ORGANIZATION_NAME, "system:masters"))


@cache
def rsa_key(bits: int = 2048) -> Any:
    return rsa.generate_private_key(65537, bits)


@cache
def key(kind: str = "P-256") -> Any:
    made: dict[str, Any] = {
        "P-256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "P-192": lambda: ec.generate_private_key(ec.SECP192R1()),
        "P-521": lambda: ec.generate_private_key(ec.SECP521R1()),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }
    return made[kind]()


def csr(
    subject=ADMIN,
    *extensions: tuple[x509.ExtensionType, bool],
    by: Any = None,
    digest: Any = hashes.SHA256(),  # noqa: B008 - it has no state
) -> str:
    """Return a request in PEM."""
    names = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    builder = x509.CertificateSigningRequestBuilder(names)
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    signer = by or key()
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else digest
    return builder.sign(signer, digest).public_bytes(Encoding.PEM).decode()
