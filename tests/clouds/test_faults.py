"""What the client concludes when the way to Heat, or Heat itself, is broken; the effects are a real Heat's."""

import json
import socket
import time
import uuid
from dataclasses import replace
from unittest import mock

from django.test import SimpleTestCase

from chaos.heat_proxy import Fault, HeatProxy, Spoil
from clouds import heat as heat_module
from clouds.errors import CloudError, OutcomeUnknown, Rejected, Unavailable
from clouds.heat import connect
from clouds.session import ANSWER_LIMIT
from tests.clouds import PATIENCE, connect_to, heat_endpoint, tiny_request

TIMEOUT = 1.0  # seconds, where the answer does not come
LONG = 30.0
NEVER = {Spoil.DELAY, Spoil.TRICKLE, Spoil.BLACK_HOLE}
EFFECTIVE = set(Spoil) - {Spoil.DROP_BEFORE, Spoil.STATUS, Spoil.BLACK_HOLE}
HTML = b"<html><body><h1>502 Bad Gateway</h1>secret machinery</body></html>"


def told_stack(**over):
    """Return a stack as Heat's list tells of one."""
    stack = {
        "id": "5f2a1a0e-4c55-4f0e-9a44-4f6f6c0d4c11",
        "stack_name": "x",
        "stack_status": "CREATE_COMPLETE",
        "creation_time": "2026-01-01T00:00:00Z",
        "tags": ["ours"],
    }
    return stack | over


class FaultsTest(SimpleTestCase):
    def setUp(self):
        self.proxy = self.enterContext(HeatProxy(heat_endpoint()))
        self.heat = connect_to(self.proxy.url, timeout=LONG)
        self.hurried = connect_to(self.proxy.url, timeout=TIMEOUT)
        self.straight = connect_to(heat_endpoint())

    def there(self, request):
        """Return the ids of the stacks that really are there, and see to their end."""
        ids = [stack.id for stack in self.straight.find(request.name)]
        for stack_id in ids:
            self.addCleanup(self.straight.delete, stack_id)
        return ids

    def create_spoilt(self, spoil, **fault):
        """Create through one fault; return the error and how many stacks there are really."""
        self.proxy.faults = [Fault("POST", "stacks", spoil, **fault)]
        request = tiny_request()
        with self.assertRaises(CloudError) as caught:
            (self.hurried if spoil in NEVER else self.heat).create(request)
        if spoil in EFFECTIVE:
            self.await_(request)
        return caught.exception, len(self.there(request))

    def await_(self, request):
        """Heat may be at it still when we have stopped listening."""
        end = time.monotonic() + PATIENCE
        while not self.straight.find(request.name):
            self.assertLess(time.monotonic(), end)

    def test_an_answer_after_the_timeout_leaves_the_outcome_unknown(self):
        error, stacks = self.create_spoilt(spoil=Spoil.DELAY, seconds=10)
        self.assertIsInstance(error, OutcomeUnknown)
        self.assertEqual(stacks, 1)

    def test_a_connection_lost_after_the_effect_leaves_it_unknown(self):
        error, stacks = self.create_spoilt(spoil=Spoil.DROP_AFTER)
        self.assertIsInstance(error, OutcomeUnknown)
        self.assertEqual(stacks, 1)

    def test_a_connection_lost_before_the_effect_leaves_it_unknown_too(self):
        error, stacks = self.create_spoilt(spoil=Spoil.DROP_BEFORE)
        self.assertIsInstance(error, OutcomeUnknown)
        self.assertEqual(stacks, 0)

    def test_half_an_answer_leaves_it_unknown(self):
        error, stacks = self.create_spoilt(spoil=Spoil.CUT)
        self.assertIsInstance(error, OutcomeUnknown)
        self.assertEqual(stacks, 1)

    def test_a_body_that_never_ends_is_cut_off_in_time(self):
        started = time.monotonic()
        error, stacks = self.create_spoilt(spoil=Spoil.TRICKLE)
        self.assertLess(time.monotonic() - started, LONG)
        self.assertIsInstance(error, OutcomeUnknown)
        self.assertEqual(stacks, 1)

    def test_a_black_hole_is_left_in_time(self):
        started = time.monotonic()
        error, _ = self.create_spoilt(spoil=Spoil.BLACK_HOLE)
        self.assertLess(time.monotonic() - started, LONG)
        self.assertIsInstance(error, OutcomeUnknown)

    def test_garbage_after_the_effect_leaves_it_unknown(self):
        for body in (
            b"",
            b"{",
            b"[]",
            b"null",
            b'{"stack": null}',
            b'{"stack": {"id": 7}}',
            b"\xff\xfe",
            b"[" * 9999,
        ):
            with self.subTest(body[:20]):
                error, stacks = self.create_spoilt(spoil=Spoil.REPLACE, status=201, body=body)
                self.assertIsInstance(error, OutcomeUnknown)
                self.assertEqual(stacks, 1)

    def test_a_server_error_leaves_it_unknown_and_shows_no_machinery(self):
        for status in (500, 502, 504):
            with self.subTest(status):
                error, stacks = self.create_spoilt(
                    spoil=Spoil.REPLACE, status=status, body=HTML, content_type="text/html"
                )
                self.assertIsInstance(error, OutcomeUnknown)
                self.assertEqual(stacks, 1)
                self.assertNotIn("secret", error.reason)
                self.assertNotIn("<", error.reason)

    def test_a_refusal_for_now_is_unavailable(self):
        for status in (401, 429, 503):
            with self.subTest(status):
                error, stacks = self.create_spoilt(spoil=Spoil.STATUS, status=status)
                self.assertIsInstance(error, Unavailable)
                self.assertEqual(stacks, 0)

    def test_a_refusal_for_good_is_rejected(self):
        for status in (400, 403, 413, 422):
            with self.subTest(status):
                error, stacks = self.create_spoilt(spoil=Spoil.STATUS, status=status)
                self.assertIsInstance(error, Rejected)
                self.assertEqual(stacks, 0)

    def test_it_never_asks_twice_by_itself(self):
        for spoil in (Spoil.DROP_BEFORE, Spoil.DROP_AFTER, Spoil.STATUS):
            before = self.proxy.total("POST")
            self.create_spoilt(spoil=spoil, times=99)
            self.assertEqual(self.proxy.total("POST") - before, 1)

    def test_a_spoilt_read_is_only_unavailable(self):
        for fault in (
            Fault("GET", "stacks", Spoil.DELAY, seconds=10),
            Fault("GET", "stacks", Spoil.DROP_AFTER),
            Fault("GET", "stacks", Spoil.CUT),
            Fault("GET", "stacks", Spoil.STATUS, status=500),
            Fault("GET", "stacks", Spoil.REPLACE, status=200, body=b"{}"),
            Fault("GET", "stacks", Spoil.REPLACE, status=200, body=b'{"stacks": [{"id": "x"}]}'),
            Fault("GET", "stacks", Spoil.REPLACE, status=200, body=HTML, content_type="text/html"),
        ):
            with self.subTest(fault):
                self.proxy.faults = [fault]
                with self.assertRaises(Unavailable):
                    (self.hurried if fault.spoil in NEVER else self.heat).find("nobody")
        self.assertEqual(self.heat.find("nobody"), [])

    def test_a_proxys_404_does_not_mean_that_the_stack_is_gone(self):
        self.proxy.faults = [
            Fault(None, None, Spoil.STATUS, 99, status=404, body=HTML, content_type="text/html")
        ]
        with self.assertRaises(Unavailable):
            self.heat.show(uuid.uuid4())
        with self.assertRaises(OutcomeUnknown):
            self.heat.delete(uuid.uuid4())

    def list_spoilt(self, *stacks):
        """Have the next list answered with these stacks."""
        body = json.dumps({"stacks": stacks}).encode()
        self.proxy.faults = [Fault("GET", "stacks", Spoil.REPLACE, status=200, body=body)]

    def test_stacks_of_others_are_not_taken_for_ours(self):
        self.list_spoilt(told_stack(tags=["theirs"]))
        with self.assertRaises(Unavailable):
            self.heat.find("ours")

    def test_a_stack_that_is_deleted_but_still_listed_is_not_found(self):
        gone = told_stack(stack_status="DELETE_COMPLETE")
        for ask in (self.heat.find, lambda tag: list(self.heat.tagged(tag))):
            self.list_spoilt(gone)
            self.assertEqual(ask("ours"), [])
        self.list_spoilt(gone)
        self.assertIsNone(self.heat.named("x"))

    def test_pages_go_on_when_heat_ignores_a_marker_that_is_gone(self):
        request = tiny_request(f"page-{uuid.uuid4()}")
        made = {
            self.straight.create(replace(request, name=f"{request.name}-{number}")) for number in range(3)
        }
        self.there(request)
        self.enterContext(mock.patch.object(heat_module, "PAGE", 2))
        walk = connect_to(self.proxy.url).tagged(request.tags[-1])
        first = [next(walk), next(walk)]
        self.list_spoilt(*(told_stack(id=str(stack.id), tags=list(stack.tags)) for stack in first))
        self.assertEqual({stack.id for stack in [*first, *walk]}, made)

    def test_a_huge_answer_is_not_read(self):
        body = b'{"stacks": []' + b" " * ANSWER_LIMIT + b"}"
        self.proxy.faults = [Fault("GET", "stacks", Spoil.REPLACE, status=200, body=body)]
        with self.assertRaises(Unavailable):
            connect_to(self.proxy.url, timeout=30).find("nobody")


class ClosedDoorTest(SimpleTestCase):
    def test_nobody_there_is_unavailable_even_for_a_create(self):
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            heat = connect_to(f"http://127.0.0.1:{reserved.getsockname()[1]}/v1/roadstead")
            with self.assertRaises(Unavailable):
                heat.create(tiny_request())

    def test_a_dead_keystone_is_unavailable_even_for_a_create(self):
        with socket.socket() as reserved:
            reserved.bind(("127.0.0.1", 0))
            heat = connect(
                {
                    "OS_AUTH_URL": f"http://127.0.0.1:{reserved.getsockname()[1]}/v3",
                    "OS_USERNAME": "u",
                    "OS_PASSWORD": "hunter2",
                    "OS_PROJECT_NAME": "p",
                    "OS_USER_DOMAIN_NAME": "Default",
                    "OS_PROJECT_DOMAIN_NAME": "Default",
                }
            )
            with self.assertRaises(Unavailable) as caught:
                heat.create(tiny_request())
        self.assertNotIn("hunter2", caught.exception.reason)
