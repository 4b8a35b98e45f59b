"""The test runner: Django's, which also leaves its counts where `make test` reads them."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner

from lifecycle import local


class Runner(DiscoverRunner):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "interactive": False})

    def setup_test_environment(self, **kwargs: Any) -> None:
        super().setup_test_environment(**kwargs)
        if self.verbosity < 2:  # what the system logs while it is being provoked is no news
            logging.getLogger().setLevel(logging.CRITICAL)

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        # Tests claim rows in this process, which has no heartbeat: its lease is as good as its run is long.
        local.mark_renewed(time.monotonic() + 24 * 3600)
        return super().run_suite(suite, **kwargs)

    def suite_result(self, suite: Any, result: Any, **kwargs: Any) -> int:
        failed = len(result.failures) + len(result.errors) + len(getattr(result, "unexpectedSuccesses", []))
        counts = {
            "passed": result.testsRun - failed - len(result.skipped),
            "failed": failed,
            "skipped": len(result.skipped),
        }
        if path := os.environ.get("ROADSTEAD_TEST_COUNTS"):
            Path(path).write_text(json.dumps(counts))
        return super().suite_result(suite, result, **kwargs)
