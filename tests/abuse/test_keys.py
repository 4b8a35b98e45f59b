"""An Idempotency-Key used for something else (9)."""

from __future__ import annotations

from api.models import IdempotencyKey
from identity.models import ApplicationCredential
from tests.abuse.base import BAYS, VOLUMES, AbuseCase

KEYED = {"Idempotency-Key": "nightly"}


class KeyTests(AbuseCase):
    def test_it_belongs_to_one_request_of_one_project_whichever_service_it_was_for(self):
        self.model.public = True
        self.model.save(update_fields=["public"])
        bay = {"cluster_template_id": str(self.model.pk)}
        volume = {"volume": {"size": 1}}
        first = self.send("POST", f"{BAYS}/clusters", bay, **KEYED)
        self.assertEqual(first.status_code, 202)
        self.assertEqual(self.send("POST", f"{BAYS}/clusters", bay, **KEYED).json(), first.json())
        self.assertEqual(
            self.send("POST", f"{BAYS}/clusters", {**bay, "name": "x"}, **KEYED).status_code, 422
        )
        self.assertEqual(self.send("POST", f"{BAYS}/bays", bay, **KEYED).status_code, 422)
        self.assertEqual(self.send("POST", f"{VOLUMES}/volumes", volume, **KEYED).status_code, 422)
        theirs = self.send("POST", f"{BAYS}/clusters", bay, by="eve", **KEYED)
        self.assertEqual(theirs.status_code, 202)
        self.assertNotEqual(theirs.json(), first.json())
        self.assertEqual(self.send("POST", f"{BAYS}/clusters", bay, by="carol", **KEYED).status_code, 403)

    def test_one_of_ten_kilobytes_or_of_odd_characters_is_none(self):
        for key in ("x" * 10_000, "", "a\tb", "\u202e"):
            answer = self.send(
                "POST", f"{VOLUMES}/volumes", {"volume": {"size": 1}}, **{"Idempotency-Key": key}
            )
            self.assertEqual(answer.status_code, 400)

    def test_a_delete_needs_none(self):
        path = f"{VOLUMES}/volumes/{self.volume.pk}"
        self.assertEqual(self.send("DELETE", path, **KEYED).status_code, 202)
        self.assertIn(self.send("DELETE", path, **KEYED).status_code, {202, 400})
        self.assertFalse(IdempotencyKey.objects.exists())

    def test_no_secret_is_kept_for_who_asks_twice(self):
        path = f"/identity/v3/users/{self.bob.pk}/application_credentials"
        answer = self.send("POST", path, {"application_credential": {"name": "x"}}, **KEYED)
        self.assertEqual(answer.status_code, 400)
        self.assertIn("not heeded here", answer.json()["error"]["message"])
        self.assertFalse(ApplicationCredential.objects.exists() or IdempotencyKey.objects.exists())
