"""Who is who, and what each may do."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from api.problems import Forbidden, Unauthorized
from identity.callers import NO_PROJECT
from identity.keystone import DOMAIN
from tests.identity.real.base import BAYS, MODEL, MODELS, SERVICES, VOLUMES, Part


class Callers(Part):
    def test_it_tells_the_caller_by_password(self):
        text = self.token("demo")
        caller, bearer = self.bearer(text)
        demo = self.there.find("users", name="demo")[0]
        project = self.there.find("projects", name="demo")[0]
        self.assertEqual((caller.user_id, caller.user_name), (demo["id"], "demo"))
        self.assertEqual((caller.project_id, caller.project_name), (project["id"], "demo"))
        self.assertEqual(caller.roles, {"member", "reader"})
        self.assertFalse(caller.is_admin or caller.is_service or caller.system)
        self.assertEqual(bearer.text, text)
        self.assertNotIn(text, repr(bearer))
        self.assertGreater(bearer.expires_at, datetime.now(UTC))

    def test_roles_include_one_another(self):
        ladder = ("admin", "manager", "member", "reader")
        for user, least in (("admin", 0), ("manager", 1), ("demo", 2), ("reader", 3)):
            with self.subTest(user):
                caller = self.caller(self.token(user))
                self.assertEqual(caller.roles, set(ladder[least:]))
                self.assertEqual(caller.is_admin, user == "admin")

    def test_the_service_role_makes_a_service(self):
        caller = self.caller(self.token("roadstead", "service"))
        self.assertTrue(caller.is_service)
        self.assertFalse(caller.is_admin)

    def test_a_service_token_vouches(self):
        user, service = self.token("demo"), self.token("roadstead", "service")
        self.assertTrue(self.caller(user, X_Service_Token=service).by_service)
        self.assertFalse(self.caller(user).by_service)
        for other in (self.token("admin"), "garbage"):
            with self.subTest(other[:7]), self.assertRaisesMessage(Unauthorized, "service token"):
                self.caller(user, X_Service_Token=other)

    def test_a_token_for_the_system_has_no_project(self):
        caller = self.caller(self.token("admin", None))
        self.assertTrue(caller.system and caller.is_admin)
        self.assertIsNone(caller.project_id)

    def test_a_token_for_a_domain_is_refused_whatever_the_role(self):
        domain = self.there.find("domains", name="Default")[0]["id"]
        admin = self.there.find("users", name="admin")[0]["id"]
        self.there.grant("admin", admin, f"domains/{domain}")
        text = self.token("admin", OS_PROJECT_NAME="", OS_PROJECT_DOMAIN_NAME="", OS_DOMAIN_ID=domain)
        with self.assertRaisesMessage(Forbidden, DOMAIN):
            self.caller(text)
        for path in (BAYS, VOLUMES, SERVICES):
            answer = self.ask(path, text)
            self.assertEqual(answer.status_int, 403, path)
            self.assertIn(DOMAIN, answer.text)

    def test_a_token_without_a_scope_is_refused(self):
        text = self.token("nobody", OS_PROJECT_NAME="", OS_PROJECT_DOMAIN_NAME="")
        self.assertEqual(self.caller(text).roles, frozenset())
        for path in (BAYS, VOLUMES):
            answer = self.ask(path, text)
            self.assertEqual(answer.status_int, 403, path)
            self.assertIn(NO_PROJECT, answer.text)

    def test_what_each_may_do(self):
        who = {
            "anonymous": "",
            "reader": self.token("reader"),
            "member": self.token("demo"),
            "manager": self.token("manager"),
            "stranger": self.token("stranger", "alt"),
            "service": self.token("roadstead", "service"),
            "admin": self.token("admin"),
            "system admin": self.token("admin", None),
        }
        matrix = (
            ("GET", BAYS, None, (401, 200, 200, 200, 200, 200, 200, 403)),
            ("GET", VOLUMES, None, (401, 200, 200, 200, 200, 200, 200, 403)),
            ("GET", "/volume/v3/limits", None, (401, 200, 200, 200, 200, 200, 200, 403)),
            ("POST", MODELS, MODEL, (401, 403, 201, 201, 201, 201, 201, 403)),
            ("GET", SERVICES, None, (401, 403, 403, 403, 403, 403, 200, 200)),
        )
        for method, path, body, statuses in matrix:
            for (name, text), status in zip(who.items(), statuses, strict=True):
                with self.subTest(f"{method} {path}", who=name):
                    answer = self.ask(path, text, method=method, body=body)
                    self.assertEqual(answer.status_int, status, answer.text)

    def test_another_projects_is_not_found(self):
        answer = self.ask(MODELS, self.token("demo"), method="POST", body=MODEL)
        path = f"{MODELS}/{json.loads(answer.text)['uuid']}"
        self.assertEqual(self.status(path, self.token("reader")), 200)
        self.assertEqual(self.status(path, self.token("stranger", "alt")), 404)

    def test_an_application_credential_works(self):
        caller = self.caller(self.by_credential("demo"))
        self.assertEqual((caller.user_name, caller.project_name), ("demo", "demo"))
        self.assertEqual(caller.roles, {"member", "reader"})

    def test_an_application_credential_may_have_fewer_roles(self):
        text = self.by_credential("demo", roles=[{"name": "reader"}])
        self.assertEqual(self.caller(text).roles, {"reader"})
        self.assertEqual(self.status(MODELS, text, method="POST", body=MODEL), 403)

    def test_an_application_credential_does_no_more_than_its_access_rules_say(self):
        rule = {"path": VOLUMES, "method": "GET", "service": "block-storage"}
        text = self.by_credential("demo", access_rules=[rule])
        self.assertEqual(self.status(VOLUMES, text), 200)
        self.assertEqual(self.status("/volume/v3/snapshots", text), 401)
        self.assertEqual(self.status(BAYS, text), 401)
        self.assertEqual(self.status(VOLUMES, text, method="POST", body={"volume": {"size": 1}}), 401)
