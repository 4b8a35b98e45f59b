"""The client against a real Heat, nothing in between."""

import uuid
from dataclasses import replace
from functools import partial
from unittest import mock

from django.test import SimpleTestCase

from clouds import heat as heat_module
from clouds.errors import Conflict, NotFound, Rejected
from clouds.heat import IDS_PER_CALL, Heat
from tests.clouds import cause_of, connect_to, heat_endpoint, make_request, make_spec, settled, tiny_request


class HeatTest(SimpleTestCase):
    heat: Heat

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.heat = connect_to(heat_endpoint())

    def made(self, request):
        stack_id = self.heat.create(request)
        self.addCleanup(self.heat.delete, stack_id)
        return stack_id

    def test_a_stack_lives_and_dies(self):
        request = tiny_request("roadstead-test-life")
        stack_id = self.made(request)
        self.assertEqual([stack.id for stack in self.heat.find(request.name)], [stack_id])
        stack = settled(self.heat, stack_id)
        self.assertEqual((stack.state, stack.tags), ("CREATE_COMPLETE", request.tags))
        self.assertTrue(self.heat.delete(stack_id))
        self.assertEqual(settled(self.heat, stack_id).state, "DELETE_COMPLETE")
        self.assertEqual(self.heat.by_ids([stack_id])[stack_id].state, "DELETE_COMPLETE")
        self.assertEqual(self.heat.find(request.name), [])
        self.assertFalse(self.heat.delete(stack_id))

    def test_a_name_is_taken_once(self):
        request = tiny_request()
        self.made(request)
        with self.assertRaises(Conflict):
            self.heat.create(request)

    def test_a_stack_without_tags_is_found_by_its_name(self):
        request = replace(tiny_request(), tags=())
        stack_id = self.made(request)
        self.assertEqual(self.heat.find(request.name), [])
        found = self.heat.named(request.name)
        self.assertEqual(found and found.id, stack_id)
        self.assertIsNone(self.heat.named(f"{request.name}-not"))

    def test_what_never_was_is_not_found(self):
        nothing = uuid.uuid4()
        for ask in (self.heat.show, self.heat.first_failure, lambda it: self.heat.update(it, tiny_request())):
            with self.subTest(ask), self.assertRaises(NotFound):
                ask(nothing)
        self.assertFalse(self.heat.delete(nothing))
        self.assertEqual(self.heat.by_ids([nothing]), {})
        self.assertEqual(self.heat.by_ids([]), {})

    def test_a_bad_template_is_rejected_with_the_reason(self):
        with self.assertRaises(Rejected) as caught:
            self.made(tiny_request(nonsense="x"))
        self.assertIn("nonsense", caught.exception.reason)

    def test_many_are_asked_for_in_one_call(self):
        ids = [self.made(tiny_request()) for _ in range(3)]
        asked = [*ids, *(uuid.uuid4() for _ in range(IDS_PER_CALL - len(ids)))]
        self.assertEqual(set(self.heat.by_ids(asked)), set(ids))
        with self.assertRaises(ValueError):
            self.heat.by_ids([*asked, uuid.uuid4()])

    def test_those_that_moved_are_told_of_without_the_others(self):
        made, deleted = self.made(tiny_request()), self.made(tiny_request())
        self.heat.delete(deleted)
        failed = self.made(tiny_request(fail=True))
        still = self.made(tiny_request(action_wait_secs={"create": 600}))
        for each in (made, deleted, failed):
            settled(self.heat, each)
        told = self.heat.moved([made, deleted, failed, still, uuid.uuid4()])
        self.assertEqual(
            {stack.id: stack.state for stack in told.values()},
            {made: "CREATE_COMPLETE", deleted: "DELETE_COMPLETE", failed: "CREATE_FAILED"},
        )

    def test_how_many_there_are_and_how_many_are_sound(self):
        made, deleted = self.made(tiny_request()), self.made(tiny_request())
        failed = self.made(tiny_request(fail=True))
        self.heat.delete(deleted)
        for each in (made, deleted, failed):
            settled(self.heat, each)
        asked = [made, deleted, failed, uuid.uuid4()]
        self.assertEqual((self.heat.count(asked), self.heat.count(asked, sound=True)), (3, 1))
        self.assertEqual(self.heat.count([]), 0)

    def test_a_question_about_as_many_as_may_be_fits_into_a_request_line(self):
        ids = [uuid.uuid4() for _ in range(IDS_PER_CALL)]
        for ask in (self.heat.by_ids, self.heat.moved, self.heat.count, partial(self.heat.count, sound=True)):
            with self.subTest(ask), mock.patch("requests.Session.send", side_effect=InterruptedError) as send:
                with self.assertRaises(InterruptedError):
                    ask(ids)
                url = send.call_args.args[0].url
                line = f"GET /heat-api/v1/{'f' * 32}/stacks{url.partition('/stacks')[2]} HTTP/1.1\r\n"
                self.assertLessEqual(len(line), 4094)
                with self.assertRaises(ValueError):
                    ask([*ids, uuid.uuid4()])

    def test_pages_hold_each_stack_once_oldest_first(self):
        tag = f"page-{uuid.uuid4()}"
        ids = {self.made(tiny_request(tag)) for _ in range(5)}
        self.enterContext(mock.patch.object(heat_module, "PAGE", 2))
        stacks = list(self.heat.tagged(tag))
        self.assertEqual((len(stacks), {stack.id for stack in stacks}), (5, ids))
        self.assertEqual(stacks, sorted(stacks, key=lambda stack: stack.created_at))

    def test_pages_go_on_when_their_marker_is_deleted(self):
        tag = f"page-{uuid.uuid4()}"
        ids = {self.made(tiny_request(tag)) for _ in range(5)}
        self.enterContext(mock.patch.object(heat_module, "PAGE", 2))
        walk = self.heat.tagged(tag)
        first = [next(walk), next(walk)]
        self.heat.delete(first[1].id)
        settled(self.heat, first[1].id)
        self.assertEqual({stack.id for stack in [*first, *walk]}, ids)

    def test_a_tag_that_would_match_everything_is_refused(self):
        for tag in ("", "a,b"):
            with self.subTest(tag), self.assertRaises(ValueError):
                self.heat.find(tag)

    def test_an_update_shows_its_tags_and_its_progress_at_once(self):
        request = make_request(make_spec())
        stack_id = self.made(request)
        settled(self.heat, stack_id)
        again = replace(make_request(make_spec(node_count=2), "operation-2"), name=request.name)
        self.heat.update(stack_id, again)
        seen = self.heat.show(stack_id)
        self.assertEqual((seen.state, seen.tags), ("UPDATE_IN_PROGRESS", again.tags))
        self.assertEqual(settled(self.heat, stack_id).state, "UPDATE_COMPLETE")

    def test_the_first_failure_is_the_resource_that_broke(self):
        spec = make_spec(node_count=3, labels={"boot_seconds": "0", "fail_node": "1"})
        stack_id = self.made(make_request(spec))
        self.assertEqual(settled(self.heat, stack_id).state, "CREATE_FAILED")
        failure = cause_of(self.heat, stack_id)
        self.assertEqual(
            (failure.resource, failure.resource_type), ("nodes.1.boot", "OS::Heat::TestResource")
        )
        self.assertIn("Test Resource failed", failure.reason)

    def test_a_sound_stack_has_no_failure(self):
        stack_id = self.made(tiny_request())
        settled(self.heat, stack_id)
        self.assertIsNone(self.heat.first_failure(stack_id))
