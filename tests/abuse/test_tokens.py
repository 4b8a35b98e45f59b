"""Tokens that are none (10): of another kind, changed, of another secret, too long; and roles that are gone."""

from __future__ import annotations

import base64
import json

from django.core.signing import Signer
from django.test import override_settings

from identity import tokens
from identity.models import Assignment
from tests.abuse.base import BAYS, VOLUMES, AbuseCase

DOORS = (f"{BAYS}/clusters", f"{VOLUMES}/volumes", "/identity/v3/users")


def unsigned(**claims: object) -> str:
    """Return a JSON web token that says it needs no signature."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    words = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*words, ""])


class TokenTests(AbuseCase):
    def statuses(self, text: str) -> set[int]:
        return {self.send("GET", path, by=None, **{"X-Auth-Token": text}).status_code for path in DOORS}

    def test_what_is_no_token_of_ours_opens_nothing(self):
        good = tokens.issue(self.bob, self.blue.pk)
        fields, signature = good.rsplit(".", 1)
        with override_settings(SECRET_KEY="another secret, as long as it takes to be one"):
            elsewhere = Signer(salt="identity.tokens", sep=".", algorithm="sha256").sign_object([1])
        other_use = Signer(salt="identity", sep=".", algorithm="sha256").sign_object(
            [self.alice.pk, self.blue.pk, ["password"], ["x"], 0, 2**40, "", False]
        )
        for text in (
            unsigned(sub=self.alice.pk, role="admin"),
            elsewhere,
            other_use,
            f"{fields}.{signature[::-1]}",
            f"{fields[:-2]}.{signature}",
            fields,
            f"{good}.{signature}",
            f"x{good}",
            "gAAAAAB" + "x" * 180,
            "x" * 8000,
        ):
            with self.subTest(text[:20]):
                self.assertEqual(self.statuses(text), {401})

    def test_a_token_without_a_project_opens_no_project(self):
        text = tokens.issue(self.bob, None)
        for path in DOORS[:2]:
            self.assertEqual(self.send("GET", path, by=None, **{"X-Auth-Token": text}).status_code, 403)

    def test_a_role_that_was_taken_is_felt_by_the_next_request(self):
        headers = self.as_user(self.bob)
        text = headers["X-Auth-Token"]
        self.assertEqual(self.statuses(text), {200})
        path = f"/identity/v3/projects/{self.blue.pk}/users/{self.bob.pk}/roles/member"
        with self.captureOnCommitCallbacks(execute=True):
            self.assertEqual(self.send("DELETE", path, by="alice").status_code, 204)
        self.assertFalse(Assignment.objects.filter(user=self.bob).exists())
        self.assertEqual(self.statuses(text), {401})
