"""The test runner of a trial: the project's own, which also writes down what became of each test, and why."""

from __future__ import annotations

import json
import os
import unittest
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from tests.runner import Runner

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class Recorder(unittest.TextTestResult):
    """Collects, by the test's id, how it ended and the kind and text of the exception; the first one stays."""

    found: dict[str, tuple[str, str, str]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.found = {}

    def note(self, test: Any, outcome: str, error: Any = None) -> None:
        kind, text = (error[0].__name__, str(error[1])) if error else ("", "")
        self.found.setdefault(test.id(), (outcome, kind, text[:500]))

    def addSuccess(self, test: Any) -> None:  # noqa: N802 - unittest's names
        super().addSuccess(test)
        self.note(test, PASSED)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self.note(test, FAILED, err)

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self.note(test, FAILED, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.note(test, FAILED, err)

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self.found.setdefault(test.id(), (SKIPPED, "", reason))


class TrialRunner(Runner):
    """The project's, but for what costs seconds and is the same in each trial: checks, and a database that is there."""

    def run_checks(self, databases: Any) -> None:
        """Leave the system checks to `make test`."""

    def setup_databases(self, **kwargs: Any) -> Any:
        """Make the database in the first run; afterwards take it as it is, since no planted bug has a migration."""
        if os.environ.get("ROADSTEAD_TRIAL_DATABASE") != "kept":
            return super().setup_databases(**kwargs)
        connection.close()
        creation: Any = connection.creation
        name = creation._get_test_db_name()  # noqa: SLF001 - as it was called in the first run
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        return []

    def get_resultclass(self) -> type[unittest.TextTestResult]:
        return Recorder

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        Path(os.environ["ROADSTEAD_TRIAL"]).write_text(json.dumps(result.found))
        return super().suite_result(suite, result, **kwargs)
