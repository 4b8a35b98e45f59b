"""/v1/certificates: who sees, signs and replaces what, and that it ends with its bay."""

from __future__ import annotations

import io
import uuid

import structlog
from cryptography import x509
from django.core.management import CommandError, call_command
from django.test import override_settings

from bays import sealing
from bays.models import Authority, Bay
from lifecycle.models import Event, Operation
from tests.bays.base import BASE, BayCase
from tests.bays.signing import csr

FIELDS = {"cluster_uuid", "bay_uuid", "pem", "csr", "ca_cert_type", "links"}


def loaded(text):
    return x509.load_pem_x509_certificate(text.encode())


class CertificateCase(BayCase):
    def setUp(self):
        super().setUp()
        self.bay = self.a_bay()
        self.path = f"/certificates/{self.bay.pk}"

    def ca(self, **kwargs):
        answer = self.get(self.path, **kwargs)
        self.assertEqual(answer.status_code, 200, answer.content)
        return answer.json()["pem"]

    def asked(self, **over):
        return {"cluster_uuid": str(self.bay.pk), "csr": csr(), **over}


class ReadTests(CertificateCase):
    def test_the_first_reader_has_it_made_and_all_see_the_same(self):
        self.assertFalse(Authority.objects.exists())
        shown = self.get(self.path, user="carol").json()
        self.assertEqual(set(shown), FIELDS)
        self.assertEqual(
            (shown["cluster_uuid"], shown["bay_uuid"], shown["csr"]), (*[str(self.bay.pk)] * 2, None)
        )
        self.assertEqual(shown["links"][0]["href"], f"http://testserver{BASE}/certificates/{self.bay.pk}")
        for ident in (self.bay.name, self.bay.pk.hex):
            self.assertEqual(self.get(f"/certificates/{ident}?ca_cert_type=kubernetes").json(), shown)
        self.assertEqual(
            (Authority.objects.count(), loaded(shown["pem"]).subject.rfc4514_string()),
            (1, f"O=bay1,CN={self.bay.pk}"),
        )

    def test_a_reader_who_has_it_already_gets_a_304(self):
        tag = self.get(self.path)["ETag"]
        self.assertEqual(self.get(self.path, **{"If-None-Match": tag}).status_code, 304)

    def test_what_is_not_there(self):
        self.refused(self.get(f"/certificates/{uuid.uuid4()}"), 404)
        self.refused(self.get(self.path, user="erin"), 404)
        self.refused(self.get(f"{self.path}?ca_cert_type=etcd"), 400, "one authority")
        plain = self.a_bay(model=self.a_model(tls_disabled=True), name="plain")
        self.refused(self.get(f"/certificates/{plain.pk}"), 400, "TLS disabled")
        self.assertFalse(Authority.objects.exists())

    def test_it_ends_with_its_bay(self):
        self.ca()
        Bay.objects.filter(pk=self.bay.pk)._raw_delete("default")  # as the end of a delete does
        self.assertFalse(Authority.objects.exists())
        self.refused(self.get(self.path), 404)


class SignTests(CertificateCase):
    def test_a_member_gets_what_the_bays_authority_vouches_for(self):
        for key in ("cluster_uuid", "bay_uuid"):
            for ident in (str(self.bay.pk), self.bay.name):
                answer = self.post("/certificates", {key: ident, "csr": csr()})
                self.assertEqual((answer.status_code, set(answer.json())), (201, FIELDS), answer.content)
                loaded(answer.json()["pem"]).verify_directly_issued_by(loaded(self.ca()))

    def test_an_admin_signs_for_any_project(self):
        theirs = self.a_bay(project_id=self.red.pk)
        answer = self.post("/certificates", self.asked(cluster_uuid=str(theirs.pk)), user="alice")
        self.assertEqual(answer.status_code, 201)

    def test_what_is_refused_makes_nothing(self):
        for over, word in (
            ({"csr": "x"}, "csr: It is no PKCS#10"),
            ({"csr": ""}, "csr"),
            ({"csr": None}, "csr"),
            ({"csr": 5}, "csr"),
            ({"csr": "x" * 20_000}, "csr"),
            ({"cluster_uuid": str(uuid.uuid4())}, "could not be found"),
            ({"cluster_uuid": ""}, "cluster_uuid"),
            ({"cluster_uuid": None}, "cluster_uuid"),
            ({"cluster_uuid": ["x"]}, "cluster_uuid"),
            ({"bay_uuid": str(self.bay.pk)}, "cluster_uuid"),
            ({"ca_cert_type": "etcd"}, "one authority"),
            ({"pem": "x"}, "Unknown attribute"),
            ({"project_id": self.red.pk}, "Unknown attribute"),
        ):
            with self.subTest(over=over):
                self.refused(self.post("/certificates", self.asked(**over)), 400, word)
        self.refused(self.post("/certificates", {"csr": csr()}), 400, "cluster_uuid")
        self.refused(self.post("/certificates", self.asked(), user="erin"), 400, "could not be found")
        self.refused(self.post("/certificates", self.asked(), user="carol"), 403, "certificate:create")

    def test_the_same_key_gets_the_same_certificate(self):
        body = self.asked()
        first, second = (self.post("/certificates", body, **{"Idempotency-Key": "k"}) for _ in range(2))
        self.assertEqual((second.json(), second["Idempotency-Replayed"]), (first.json(), "true"))
        self.assertNotEqual(self.post("/certificates", body).json()["pem"], first.json()["pem"])

    def test_a_key_that_this_node_cannot_read_is_said_and_not_told(self):
        with override_settings(CERTIFICATE_KEYS=["another secret, which is long enough"]):
            self.ca()
        answer = self.post("/certificates", self.asked())
        self.refused(answer, 503, "Its operator knows why")
        self.assertEqual(answer.json()["errors"][0]["code"], "container-infra.authority-unreadable")
        self.assertEqual(self.patch(self.path, None).status_code, 202)  # which mends it
        self.assertEqual(self.post("/certificates", self.asked()).status_code, 201)

    def test_no_log_holds_a_key(self):
        with structlog.testing.capture_logs() as logs:
            self.post("/certificates", self.asked())
            self.patch(self.path, None)
        (signed,) = [entry for entry in logs if entry["event"] == "certificate signed"]
        self.assertEqual((signed["bay"], signed["user"]), (str(self.bay.pk), self.bob.pk))
        sealed = bytes(Authority.objects.get().sealed_key)
        for secret in (sealed.decode(), sealing.unseal(sealed).hex(), "PRIVATE"):
            self.assertNotIn(secret, repr(logs))


class RotateTests(CertificateCase):
    def test_it_replaces_the_authority_and_is_on_record(self):
        was = self.ca()
        signed = loaded(self.post("/certificates", self.asked()).json()["pem"])
        answer = self.patch(self.path, None)
        self.assertEqual((answer.status_code, answer.json()), (202, {"uuid": str(self.bay.pk)}))
        now = self.ca()
        self.assertNotEqual(was, now)
        signed.verify_directly_issued_by(loaded(was))
        with self.assertRaises(Exception):  # noqa: B017 - of cryptography, one of several
            signed.verify_directly_issued_by(loaded(now))
        self.assertEqual(Authority.objects.get().generation, 2)
        operation = Operation.objects.get(action="rotate_ca")
        self.assertEqual((operation.state, operation.user_id), ("COMPLETE", self.bob.pk))
        event = Event.objects.get(event="rotate_ca")
        self.assertEqual((event.from_status, event.to_status), ("CREATE_COMPLETE", "CREATE_COMPLETE"))
        self.assertEqual(Bay.objects.get().status, "CREATE_COMPLETE")

    def test_whatever_the_body_is(self):
        for body in (None, b"null", b"{}", b"nonsense"):
            self.assertEqual(self.patch(self.path, body).status_code, 202)

    def test_only_a_complete_bay(self):
        for status in ("CREATE_IN_PROGRESS", "CREATE_FAILED", "UPDATE_FAILED", "DELETE_IN_PROGRESS"):
            bay = self.a_bay(status, name="other")
            before = self.rows()
            self.refused(
                self.patch(f"/certificates/{bay.pk}", None), 409, status, "CREATE_COMPLETE, UPDATE_COMPLETE"
            )
            self.assertEqual(self.rows(), before)
            self.assertEqual(Authority.objects.get(pk=bay.pk).generation, 1)

    def test_who_and_what_may_not(self):
        self.refused(self.patch(self.path, None, user="carol"), 403, "certificate:rotate_ca")
        self.refused(self.patch(self.path, None, user="erin"), 404)
        plain = self.a_bay(model=self.a_model(tls_disabled=True), name="plain")
        self.refused(self.patch(f"/certificates/{plain.pk}", None), 400, "TLS disabled")

    def test_it_heeds_what_its_writer_has_seen(self):
        tag = self.get(self.path)["ETag"]
        self.assertEqual(self.patch(self.path, None, **{"If-Match": tag}).status_code, 202)
        self.refused(self.patch(self.path, None, **{"If-Match": tag}), 412)
        self.assertEqual(Authority.objects.get().generation, 2)


class ResealTests(CertificateCase):
    def test_every_key_is_sealed_under_the_first_secret(self):
        self.ca()
        old, new = "o" * 32, "n" * 32
        with override_settings(CERTIFICATE_KEYS=[old]):
            other = self.a_bay(name="other")
            self.get(f"/certificates/{other.pk}")
        with override_settings(CERTIFICATE_KEYS=[new, old]):
            out = io.StringIO()
            with self.assertRaisesMessage(CommandError, str(self.bay.pk)):
                call_command("reseal", stdout=out)
            self.assertEqual(out.getvalue(), "1 sealed anew.\n")
        with override_settings(CERTIFICATE_KEYS=[new]):
            answer = self.post("/certificates", self.asked(cluster_uuid=str(other.pk)))
            self.assertEqual(answer.status_code, 201)
