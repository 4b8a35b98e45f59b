"""What is recorded is read again as it was, from many threads and after a run that was broken off."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

from django.test import SimpleTestCase

from chaos.history import Call, Faults, History, read_calls, read_faults


def a_call(number: int, **over: object) -> Call:
    values = {"action": "volume.show", "resource": "v", "args": {"tenant": "one"}, "key": None, "begun": 1}
    return Call(**{"client": 1, "number": number, "ended": 2, "status": 200, **values, **over})  # type: ignore[arg-type]


class HistoryTests(SimpleTestCase):
    def setUp(self):
        self.path = Path(self.enterContext(tempfile.TemporaryDirectory())) / "deep" / "history.jsonl"

    def test_calls_are_read_as_they_were_recorded(self):
        calls = [a_call(1, answer={"id": "v", "size": 1}), a_call(2, status=None, error="cut off")]
        with History(self.path) as history:
            for call in calls:
                history.record(call)
            self.assertEqual(read_calls(self.path), calls)  # before the file is closed
        self.assertEqual([call.unknown for call in calls], [False, True])

    def test_no_line_is_lost_or_torn_between_threads(self):
        with History(self.path) as history:

            def write() -> None:
                for number in range(200):
                    history.record(a_call(number))

            threads = [threading.Thread(target=write) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(len(read_calls(self.path)), 1600)

    def test_a_last_line_that_was_broken_off_is_left_out(self):
        with History(self.path) as history:
            history.record(a_call(1))
            history.record(a_call(2))
        self.path.write_bytes(self.path.read_bytes()[:-10])
        self.assertEqual([call.number for call in read_calls(self.path)], [1])

    def test_faults_keep_what_more_is_told_of_them(self):
        with Faults(self.path) as faults:
            faults.note("worker killed", "node1", 5, None, "pid 7", take_overs=[{"seconds": 0.5}])
        (fault,) = read_faults(self.path)
        self.assertEqual(
            (fault.kind, fault.target, fault.begun, fault.ended), ("worker killed", "node1", 5, None)
        )
        self.assertEqual(fault.details["take_overs"], [{"seconds": 0.5}])

    def test_there_is_nothing_where_nothing_was_recorded(self):
        self.assertEqual(read_calls(self.path), [])
