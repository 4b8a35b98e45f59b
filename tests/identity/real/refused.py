"""Which tokens are good no longer, or never were; and what is not believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from unittest import mock

from keystonemiddleware.auth_token._identity import IdentityServer

from api import rates
from api.problems import Unauthorized
from deploy.access import password
from tests.identity.real.base import BAYS, SERVICES, VOLUMES, Part

_verify = IdentityServer.verify_token


class Refused(Part):
    def test_what_is_no_token(self):
        good = self.token("demo")
        texts = (
            "x",
            "é",
            "a b",
            "\x7f",
            good[:-1],
            good + "x",
            good.swapcase(),
            "g" * 5000,
            "../x",
            '{"a": 1}',
            ".",
        )
        for text in texts:
            for path in (BAYS, VOLUMES):
                with self.subTest(text[:20], path=path):
                    answer = self.ask(path, text)
                    self.assertEqual(answer.status_int, 401, answer.text)
        self.assertEqual(self.status(VOLUMES, good), 200)

    def test_who_floods_us_with_what_is_no_token_does_not_flood_keystone(self):
        self.enterContext(self.settings(RATES={"address": (0.001, 5)}))
        rates.ADDRESSES.forget()
        self.addCleanup(rates.ADDRESSES.forget)
        good, other = self.token("demo"), self.token("demo")
        self.assertEqual(self.status(VOLUMES, good), 200)
        with mock.patch.object(IdentityServer, "verify_token", autospec=True, side_effect=_verify) as asked:
            found = [self.status(VOLUMES, f"none-{number}") for number in range(12)]
            self.assertEqual(found, [401] * 5 + [429] * 7)
            self.assertEqual(asked.call_count, 5)
            self.assertEqual(self.status(VOLUMES, good), 200, "who is known is not held up")
            self.assertEqual(self.status(VOLUMES, good, X_Service_Token="x"), 429)
            self.assertEqual(asked.call_count, 5)
            rates.ADDRESSES.forget()
            self.assertEqual(self.ask(VOLUMES, "y", "POST", Transfer_Encoding="chunked").status_int, 411)
            self.assertEqual(asked.call_count, 5, "nor for what is refused unread")
        self.assertEqual(self.status(VOLUMES, other), 200)

    def test_a_refusal_says_where_to_log_in(self):
        for text in ("", "x"):
            answer = self.ask(BAYS, text)
            self.assertEqual(answer.status_int, 401)
            self.assertEqual(
                answer.headers.getall("WWW-Authenticate"), [f'Keystone uri="{self.cloud.auth_url}"']
            )
            self.assertEqual(json.loads(answer.text)["errors"][0]["status"], 401)
        self.begin(KEYSTONE_PUBLIC_URL="https://keystone.example/v3/")
        self.assertEqual(
            self.ask(BAYS).headers["WWW-Authenticate"], 'Keystone uri="https://keystone.example/v3"'
        )

    def test_headers_that_only_keystonemiddleware_may_write_are_not_believed(self):
        admin = self.there.find("users", name="admin")[0]["id"]
        project = self.there.find("projects", name="demo")[0]["id"]
        claims = {
            "X_Identity_Status": "Confirmed",
            "X_Service_Identity_Status": "Confirmed",
            "X_User_Id": admin,
            "X_User_Name": "admin",
            "X_Project_Id": project,
            "X_Project_Name": "demo",
            "X_Roles": "admin,service",
            "X_Role": "admin",
            "X_Service_Roles": "service",
            "X_Is_Admin_Project": "True",
            "OpenStack_System_Scope": "all",
            "Keystone.Token_Info": "{}",
            "Roadstead.Vouched_By_Service": "1",
        }
        for token in ("", "x"):
            for path in (BAYS, VOLUMES, SERVICES):
                self.assertEqual(self.status(path, token, **claims), 401, path)
        reader = self.token("reader")
        self.assertEqual(self.caller(reader, **claims), self.caller(reader))
        self.assertEqual(self.status(SERVICES, reader, **claims), 403)

    def test_a_refused_token_is_nobody_even_where_keystone_knows_whose_it_is(self):
        rule = {"path": "/nowhere", "method": "GET", "service": "block-storage"}
        with self.assertRaises(Unauthorized):
            self.bearer(self.by_credential("demo", access_rules=[rule]))

    def test_a_token_that_was_revoked_goes_on_no_longer_than_it_is_remembered(self):
        text = self.token("demo")
        self.begin(TOKEN_CACHE_SECONDS=1)
        self.assertEqual(self.status(VOLUMES, text), 200)
        self.there._ask("DELETE", "/auth/tokens", headers={"X-Subject-Token": text})
        self.kept(401, VOLUMES, text)
        self.begin()
        self.assertEqual(self.status(VOLUMES, text), 401)

    def test_one_who_follows_events_does_so_no_longer_than_the_token_is_good(self):
        text = self.token("demo")
        self.begin(TOKEN_CACHE_SECONDS=0)
        may_read = self.following(text)
        self.assertTrue(may_read())
        self.there._ask("DELETE", "/auth/tokens", headers={"X-Subject-Token": text})
        self.assertFalse(may_read())

    def test_a_role_that_was_taken_away(self):
        user = self.there.find("users", name="nobody")[0]["id"]
        where = f"projects/{self.there.find('projects', name='alt')[0]['id']}"
        self.there.grant("member", user, where)
        text = self.token("nobody", "alt")
        self.begin(TOKEN_CACHE_SECONDS=0)
        self.assertEqual(self.status(VOLUMES, text), 200)
        role = self.there.find("roles", name="member")[0]["id"]
        self.there._ask("DELETE", f"/{where}/users/{user}/roles/{role}")
        self.assertEqual(self.status(VOLUMES, text), 401)

    def test_a_project_that_was_disabled(self):
        made = self.there.make("projects", name="brief", domain_id="default")
        user = self.there.find("users", name="demo")[0]["id"]
        self.there.grant("member", user, f"projects/{made['id']}")
        text = self.token("demo", "brief")
        self.begin(TOKEN_CACHE_SECONDS=0)
        self.assertEqual(self.status(VOLUMES, text), 200)
        self.there.change("projects", made["id"], enabled=False)
        self.assertEqual(self.status(VOLUMES, text), 401)
        self.there.remove("projects", made["id"])

    def test_a_user_who_was_disabled(self):
        # One of its own: Keystone refuses what was had in the very second in which a user was disabled.
        secret = password(self.cloud.state, "brief")
        made = self.there.make("users", name="brief", domain_id="default", password=secret)
        project = self.there.find("projects", name="demo")[0]["id"]
        self.there.grant("reader", made["id"], f"projects/{project}")
        text = self.token("brief")
        self.begin(TOKEN_CACHE_SECONDS=0)
        self.assertEqual(self.status(VOLUMES, text), 200)
        self.there.change("users", made["id"], enabled=False)
        self.assertEqual(self.status(VOLUMES, text), 401)
        self.there.remove("users", made["id"])

    def test_a_token_expires_also_while_it_is_remembered(self):
        text = self.token("demo")
        self.assertEqual(self.status(VOLUMES, text), 200)
        tomorrow = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
        with mock.patch("keystoneauth1._utils.from_utcnow", return_value=tomorrow):  # the library's clock
            self.assertEqual(self.status(VOLUMES, text), 401)
        self.assertEqual(self.status(VOLUMES, text), 200)
