"""What is signed and what is not, and that private keys are stored sealed."""

from __future__ import annotations

import ipaddress
import uuid
from datetime import timedelta
from typing import ClassVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store
from django.test import SimpleTestCase, override_settings

from bays import certificates, sealing
from bays.certificates import InvalidRequest, Issuer
from tests.bays.signing import ADMIN, csr, key, rsa_key

NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("node-1.example.org"),
        x509.DNSName("*.svc"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.5")),
    ]
)
USAGE = dict.fromkeys(
    (*certificates.USAGES, *certificates.OTHER_USAGES, "encipher_only", "decipher_only"), False
)


def usage(*names):
    return x509.KeyUsage(**{**USAGE, **dict.fromkeys(names, True)})


class SigningCase(SimpleTestCase):
    issuer: ClassVar[Issuer]
    own: ClassVar[x509.Certificate]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.issuer = certificates.make(str(uuid.uuid4()), "small")
        cls.own = x509.load_pem_x509_certificate(cls.issuer.pem.encode())

    def sign(self, text):
        return certificates.sign(self.issuer, text)


class AuthorityTests(SigningCase):
    def test_it_is_an_authority_of_leaves_only(self):
        constraints = self.own.extensions.get_extension_for_class(x509.BasicConstraints)
        self.assertEqual(
            (constraints.critical, constraints.value.ca, constraints.value.path_length), (True, True, 0)
        )
        self.own.verify_directly_issued_by(self.own)
        lasts = self.own.not_valid_after_utc - self.own.not_valid_before_utc
        self.assertEqual(lasts, timedelta(days=5 * 365, hours=1))

    def test_its_key_is_stored_sealed(self):
        self.assertTrue(self.issuer.sealed_key.startswith(b"gAAAA"))
        self.assertNotIn(sealing.unseal(self.issuer.sealed_key), self.issuer.sealed_key)
        self.assertNotIn("PRIVATE", self.issuer.pem)


class SignedTests(SigningCase):
    def test_a_user_gets_a_certificate_that_the_authority_vouches_for(self):
        for by in (rsa_key(), key("P-256"), key("P-521"), key("ed25519")):
            signed = self.sign(csr(by=by))
            signed.verify_directly_issued_by(self.own)
            self.assertEqual(signed.public_key(), by.public_key())
            self.assertEqual(signed.subject.rfc4514_string(), "O=system:masters,CN=admin")
            constraints = signed.extensions.get_extension_for_class(x509.BasicConstraints)
            self.assertEqual((constraints.critical, constraints.value.ca), (True, False))
            self.assertLessEqual(signed.not_valid_after_utc, self.own.not_valid_after_utc)

    def test_a_server_is_known_by_its_names(self):
        signed = self.sign(csr(ADMIN, (NAMES, False), by=rsa_key()))
        verifier = (
            PolicyBuilder().store(Store([self.own])).build_server_verifier(x509.DNSName("node-1.example.org"))
        )
        self.assertEqual(len(verifier.verify(signed, [])), 2)
        self.assertEqual(signed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, NAMES)

    def test_what_a_certificate_may_be_used_for_is_what_was_asked_of_what_is_given(self):
        both = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        plain = {"digital_signature", "key_encipherment"}
        for extensions, usages, purposes in (
            ([], plain, both),
            ([(x509.ExtendedKeyUsage(both[:1]), True)], plain, both[:1]),
            ([(x509.ExtendedKeyUsage([both[1], ExtendedKeyUsageOID.CODE_SIGNING]), False)], plain, both[1:]),
            ([(usage("digital_signature"), True)], {"digital_signature"}, both),
            ([(usage("digital_signature", "key_cert_sign"), False)], {"digital_signature"}, both),
            ([(x509.BasicConstraints(ca=False, path_length=None), True)], plain, both),
            ([(x509.OCSPNoCheck(), False)], plain, both),
        ):
            with self.subTest(extensions=extensions):
                signed = self.sign(csr(ADMIN, *extensions))
                given = signed.extensions.get_extension_for_class(x509.KeyUsage).value
                self.assertEqual({name for name in certificates.USAGES if getattr(given, name)}, usages)
                self.assertFalse(given.key_cert_sign or given.crl_sign)
                asked = signed.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
                self.assertEqual(list(asked), purposes)
                self.assertEqual(len(signed.extensions), 5)

    @override_settings(CERTIFICATE_DAYS=1)
    def test_none_outlives_its_authority(self):
        brief = certificates.make(str(uuid.uuid4()), "small")
        with override_settings(CERTIFICATE_DAYS=100):
            signed = certificates.sign(brief, csr())
        self.assertEqual(
            signed.not_valid_after_utc, x509.load_pem_x509_certificate(brief.pem.encode()).not_valid_after_utc
        )


class RefusedTests(SigningCase):
    def refused(self, text, word):
        with self.assertRaises(InvalidRequest) as raised:
            self.sign(text)
        self.assertIn(word, raised.exception.reason)

    def test_what_is_no_request(self):
        pem = self.issuer.pem
        for text in (
            "",
            "x",
            pem,
            csr()[:-100],
            csr().replace("REQUEST", "THING"),
            "\ud800".encode("utf-8", "replace").decode(),
        ):
            self.refused(text, "no PKCS#10")
        self.refused(csr() + "\n" * 20_000, "longer")

    def test_weak_keys_and_signatures(self):
        self.refused(csr(by=rsa_key(1024)), "1024 bits")
        self.refused(csr(by=key("P-192")), "P-256")
        self.refused(csr(by=rsa_key(), digest=hashes.SHA224()), "SHA-256")
        raw = bytearray(x509.load_pem_x509_csr(csr().encode()).public_bytes(Encoding.DER))
        raw[raw.index(b"admin")] ^= 1  # signed for another name
        text = x509.load_der_x509_csr(bytes(raw)).public_bytes(Encoding.PEM).decode()
        self.refused(text, "not that of its key")

    def test_subjects(self):
        for subject, word in (
            ((), "one common name"),
            ((ADMIN[1],), "one common name"),
            ((ADMIN[0], ADMIN[0]), "one common name"),
            ((*ADMIN, (NameOID.EMAIL_ADDRESS, "a@b")), "nothing else"),
            (((NameOID.COMMON_NAME, "a\nb"),), "printable"),
            ((*ADMIN, (NameOID.ORGANIZATION_NAME, "a\x00b")), "printable"),
            ([(a.oid, str(a.value)) for a in self.own.subject], "that of the authority"),
        ):
            with self.subTest(subject=subject):
                self.refused(csr(subject), word)

    def test_extensions_that_are_insisted_on(self):
        for extension, critical, word in (
            (x509.BasicConstraints(ca=True, path_length=None), False, "authority"),
            (x509.BasicConstraints(ca=True, path_length=0), True, "authority"),
            (usage("digital_signature", "key_cert_sign"), True, "insists"),
            (usage("key_cert_sign"), False, "Nothing is left"),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False, "Nothing is left"),
            (
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.TIME_STAMPING]),
                True,
                "insists",
            ),
            (x509.OCSPNoCheck(), True, "insists"),
            (
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier("http://169.254.169.254/")]),
                False,
                "host names",
            ),
            (x509.SubjectAlternativeName([x509.RFC822Name("a@example.org")]), False, "host names"),
            (x509.SubjectAlternativeName([x509.DNSName("a b")]), False, "host names"),
            (x509.SubjectAlternativeName([x509.DNSName("x." * 200 + "org")]), False, "host names"),
            (x509.SubjectAlternativeName([x509.DNSName(f"n{n}") for n in range(101)]), False, "100"),
        ):
            with self.subTest(extension=extension, critical=critical):
                self.refused(csr(ADMIN, (extension, critical)), word)


class SealingTests(SimpleTestCase):
    OLD, NEW = "o" * 32, "n" * 32

    def test_a_secret_is_replaced_while_nodes_run(self):
        with override_settings(CERTIFICATE_KEYS=[self.OLD]):
            sealed = sealing.seal(b"key")
            self.assertIsNone(sealing.resealed(sealed))
        with override_settings(CERTIFICATE_KEYS=[self.NEW, self.OLD]):
            self.assertEqual(sealing.unseal(sealed), b"key")
            anew = sealing.resealed(sealed)
            assert anew is not None
            self.assertIsNone(sealing.resealed(anew))
        with override_settings(CERTIFICATE_KEYS=[self.NEW]):
            self.assertEqual(sealing.unseal(anew), b"key")
            for gone in (sealed, b"", b"x", anew[:-4] + b"AAA="):
                with self.assertRaises(sealing.Unreadable):
                    sealing.unseal(gone)

    def test_a_key_that_was_put_beside_anothers_certificate_signs_nothing(self):
        mine, theirs = certificates.make("a", "a"), certificates.make("b", "b")
        with self.assertRaises(sealing.Unreadable):
            certificates.sign(Issuer(mine.pem, theirs.sealed_key), csr())

    def test_two_authorities_do_not_vouch_for_each_other(self):
        mine, theirs = certificates.make("a", "a"), certificates.make("a", "a")
        signed = certificates.sign(mine, csr())
        with self.assertRaises(InvalidSignature):
            signed.verify_directly_issued_by(x509.load_pem_x509_certificate(theirs.pem.encode()))
