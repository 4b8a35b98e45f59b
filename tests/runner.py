"""The test runner: Django's; it leaves its counts where `make test` reads them and says what took longest."""

from __future__ import annotations

import json
import logging
import os
import time
import unittest
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.test.runner import DiscoverRunner
from hypothesis import HealthCheck
from hypothesis import settings as Profile  # noqa: N812 - Django's are called settings here

from lifecycle import local

LONGEST = 12  # classes of tests to name
LEFT = """
    SELECT pid, state, left(query, 200), pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class TimedResult(unittest.TextTestResult):
    """A result that knows for how long each class of tests ran, with what was set up for it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.seconds: Counter[str] = Counter()
        self._since = time.monotonic()

    def stopTest(self, test: unittest.TestCase) -> None:  # noqa: N802 - unittest's name
        super().stopTest(test)
        now = time.monotonic()
        self.seconds[f"{type(test).__module__}.{type(test).__qualname__}"] += now - self._since  # type: ignore[assignment]
        self._since = now


class Runner(DiscoverRunner):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "interactive": False})

    def setup_test_environment(self, **kwargs: Any) -> None:
        super().setup_test_environment(**kwargs)
        # How long an example takes says how busy the machine is.
        Profile.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
        Profile.load_profile("busy")
        settings.MIDDLEWARE = ["tests.described.Checking", *settings.MIDDLEWARE]
        import_module("tests.described").watch_serializers()  # which needs the apps to be ready
        if self.verbosity < 2:  # what the system logs while it is being provoked is no news
            logging.getLogger().setLevel(logging.CRITICAL)

    def get_resultclass(self) -> Any:
        return super().get_resultclass() or TimedResult

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        # Tests claim rows in this process, which has no heartbeat: its lease is as good as its run is long.
        local.mark_renewed(time.monotonic() + 24 * 3600)
        return super().run_suite(suite, **kwargs)

    def teardown_databases(self, old_config: Any, **kwargs: Any) -> None:
        if old_config:  # a database of the tests' own, which a session would keep from being dropped
            with connection.cursor() as cursor:
                cursor.execute(LEFT)
                for pid, state, query, _ in cursor.fetchall():
                    self.log(f"A session was left and ended: {pid}, {state}: {query}")
        super().teardown_databases(old_config, **kwargs)

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        failed = len(result.failures) + len(result.errors) + len(getattr(result, "unexpectedSuccesses", []))
        counts = {
            "passed": result.testsRun - failed - len(result.skipped),
            "failed": failed,
            "skipped": len(result.skipped),
        }
        if path := os.environ.get("ROADSTEAD_TEST_COUNTS"):
            Path(path).write_text(json.dumps(counts))
        if isinstance(result, TimedResult) and len(result.seconds) > LONGEST:
            longest = ", ".join(f"{name} {took:.0f} s" for name, took in result.seconds.most_common(LONGEST))
            self.log(f"What took longest: {longest}")
        return super().suite_result(suite, result, **kwargs)
