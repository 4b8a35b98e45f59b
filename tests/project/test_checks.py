from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.core.checks import run_checks
from django.test import SimpleTestCase, override_settings

from project.checks import delegations_fit, identity_fits, leases_fit, postgresql_only, storage_fits

HOLD = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "visibility_timeout": 10}
# Each contradiction, and the one error that it must raise.
CONTRADICTIONS = (
    ("E001", {"LEASE": 0.9, "HEARTBEAT": 0.2, "RING_INTERVAL": 0.5}),
    ("E002", {"HEARTBEAT": 0}),
    ("E002", {"HEARTBEAT": 2.0}),
    ("E003", {"STEP_LIMIT": 5.0, "LEASE": 5.0, "CLOUD_TIMEOUT": 1.0}),
    ("E004", {"CLOUD_TIMEOUT": 10.1, "STEP_LIMIT": 30}),
    ("E005", {"CLOUD_QUIET": 0.9, "CLOUD_TIMEOUT": 1}),
    ("E006", {"CELERY_BROKER_TRANSPORT_OPTIONS": HOLD}),
    ("E007", {"RING_INTERVAL": 5.1, "LEASE": 5.0}),
    ("E008", {"STALL": 9.9, "LEASE": 5.0}),
    ("E016", {"CERTIFICATE_KEYS": ["k" * 32, "k" * 31]}),
    ("E017", {"CERTIFICATE_DAYS": 0}),
    ("E017", {"CERTIFICATE_DAYS": 36_501}),
)
LOGIN = {
    "OS_AUTH_URL": "http://127.0.0.1:1/v3",
    "OS_USERNAME": "roadstead",
    "OS_PASSWORD": "secret",
    "OS_PROJECT_NAME": "service",
}
IDENTITY_CONTRADICTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("E031", {"IDENTITY": "ldap"}),
    ("E032", {"CLOUD_VARIABLES": {}}),
    ("E032", {"CLOUD_VARIABLES": {"OS_USERNAME": "roadstead"}}),
    ("E032", {"CLOUD_VARIABLES": {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": "http://127.0.0.1:1/v1/p"}}),
    ("E033", {"KEYSTONE_TIMEOUT": 0}),
    ("E033", {"KEYSTONE_TIMEOUT": 10.5}),
    ("E034", {"TOKEN_CACHE_SECONDS": 301}),
)
STORAGE_CONTRADICTIONS = (
    ("E012", {"SERVES": ["fast", "elsewhere"]}, "elsewhere"),
    ("E013", {"POOL_STALE": 119.0, "POOL_REPORT": 60.0}, "ROADSTEAD_POOL_STALE (119 s)"),
    ("E014", {"COPY_SLICE": 0}, "ROADSTEAD_COPY_SLICE (0 s)"),
    ("E014", {"COPY_SLICE": 10.1, "STEP_LIMIT": 30.0}, "ROADSTEAD_COPY_SLICE (10.1 s)"),
    ("E015", {"READERS": 0}, "ROADSTEAD_READERS"),
)
BACKENDS = """
[backends.fast]
[[backends.fast.pools]]
name = "one"
path = "/nowhere/fast"
"""
MISTAKES = (  # in the file of back-ends, and what the error names
    ("no TOML at all", "backends.toml"),
    (BACKENDS.replace("name", "nome"), "pools"),
    (BACKENDS + 'colour = "red"', "'colour'"),
    (BACKENDS.replace('path = "/nowhere/fast"', 'path = "nowhere"'), "not absolute"),
    (BACKENDS.replace("[backends.fast]", '[backends.fast]\ndriver = "tape"'), "driver"),
    (BACKENDS.replace("[backends.fast]", "[backends.fast]\nover_provisioning = 0.5"), "over_provisioning"),
)


class CheckTests(SimpleTestCase):
    def test_the_defaults_contradict_nothing(self):
        self.assertEqual([error.id for error in (*leases_fit(None), *postgresql_only(None))], [])
        self.assertEqual([error for error in run_checks() if error.is_serious()], [])

    def test_each_contradiction_is_an_error_that_names_the_variable_and_its_value(self):
        for number, changed in CONTRADICTIONS:
            with self.subTest(number, changed=str(changed)), override_settings(**changed):
                (error,) = leases_fit(None)
                self.assertEqual(error.id, f"roadstead.{number}")
                self.assertIn("ROADSTEAD_", error.msg)
                self.assertIn(error, run_checks())

    def test_what_owners_are_to_lend_must_be_possible_to_have(self):
        by_credential = {"OS_AUTH_TYPE": "v3applicationcredential"}
        self.assertEqual(delegations_fit(None), [])
        with override_settings(IDENTITY="keystone", DELEGATED_ROLES=[], CLOUD_VARIABLES=by_credential):
            found = [error.id for error in delegations_fit(None)]
        self.assertEqual(found, ["roadstead.E041", "roadstead.E042"])

    def test_another_database_is_refused(self):
        with patch.dict(settings.DATABASES["default"], {"ENGINE": "django.db.backends.sqlite3"}):
            self.assertEqual([error.id for error in postgresql_only(None)], ["roadstead.E010"])

    def test_a_broker_that_is_gone_is_not_waited_for(self):
        """Kombu would sleep two seconds between its two attempts, inside the request that rings the bell."""
        options = settings.CELERY_BROKER_TRANSPORT_OPTIONS
        self.assertEqual(
            (options["max_retries"], options["interval_start"], options["interval_step"]), (1, 0, 0)
        )
        self.assertIs(settings.CELERY_TASK_PUBLISH_RETRY, False)


class IdentityCheckTests(SimpleTestCase):
    def test_a_keystone_that_is_named_contradicts_nothing_nor_does_our_own(self):
        self.assertEqual(identity_fits(None), [])
        with override_settings(IDENTITY="keystone", CLOUD_VARIABLES=LOGIN):
            self.assertEqual(identity_fits(None), [])

    def test_each_contradiction_is_one_error(self):
        for number, changed in IDENTITY_CONTRADICTIONS:
            told = {"IDENTITY": "keystone", "CLOUD_VARIABLES": LOGIN, **changed}
            with self.subTest(number, changed=str(changed)), override_settings(**told):
                (error,) = identity_fits(None)
                self.assertEqual(error.id, f"roadstead.{number}")
                self.assertIn(error, run_checks())


class StorageCheckTests(SimpleTestCase):
    def setUp(self):
        self.path = Path(self.enterContext(TemporaryDirectory())) / "backends.toml"
        self.path.write_text(BACKENDS)
        self.enterContext(override_settings(BACKENDS_FILE=str(self.path), SERVES=["fast"]))

    def test_a_file_that_is_right_contradicts_nothing_nor_does_its_absence(self):
        self.assertEqual(storage_fits(None), [])
        with override_settings(BACKENDS_FILE="", SERVES=[]):
            self.assertEqual(storage_fits(None), [])

    def test_each_contradiction_is_an_error_that_names_what_contradicts(self):
        for number, changed, named in STORAGE_CONTRADICTIONS:
            with self.subTest(number, changed=str(changed)), override_settings(**changed):
                (error,) = storage_fits(None)
                self.assertEqual(error.id, f"roadstead.{number}")
                self.assertIn(named, error.msg)
                self.assertIn(error, run_checks())

    def test_a_mistake_in_the_file_is_an_error_that_names_it(self):
        for number, (text, named) in enumerate(MISTAKES):
            path = self.path.with_name(f"{number}.backends.toml")  # each is read once in a process
            path.write_text(text)
            with self.subTest(named), override_settings(BACKENDS_FILE=str(path)):
                (error,) = storage_fits(None)
                self.assertEqual(error.id, "roadstead.E011")
                self.assertIn(named, error.msg)

    def test_a_file_that_is_missing_is_an_error(self):
        with override_settings(BACKENDS_FILE="/nowhere/backends.toml"):
            (error,) = storage_fits(None)
        self.assertEqual(error.id, "roadstead.E011")
        self.assertIn("/nowhere/backends.toml", error.msg)
