from __future__ import annotations

import os
from unittest import TestCase

from celery import signals
from django.conf import settings

from workers.bootsteps import LeaseKeeper


class PrecedenceTests(TestCase):
    def test_a_process_that_takes_steps_comes_after_those_that_answer(self) -> None:
        """Told in a child, since no process gets its precedence back."""
        self.assertTrue(LeaseKeeper.requires)  # with this step comes what a child is told as it begins
        before = os.nice(0)
        if (child := os.fork()) == 0:
            signals.worker_process_init.send(sender=None)
            os._exit(os.nice(0))
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), before + settings.WORKER_NICE)
        self.assertEqual(os.nice(0), before)
