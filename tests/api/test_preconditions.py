from __future__ import annotations

import uuid

from django.test import RequestFactory, SimpleTestCase, TestCase
from rest_framework.request import Request

from api.preconditions import ANY, Expected, _tags, etag, revision
from api.problems import BadRequest, PreconditionFailed
from bays.models import Bay, BayModel
from lifecycle import leases
from lifecycle.swap import swap
from tests import make


def seen(row) -> Expected:
    return Expected(frozenset({revision(row)}))


class RevisionTests(TestCase):
    def test_a_leased_row_keeps_its_revision_through_claims_and_changes_it_with_what_users_see(self):
        bay = make.bay()
        held = leases.claim(Bay, bay.pk)
        assert held is not None
        leases.renew([Bay])
        self.assertEqual(revision(Bay.objects.get(pk=bay.pk)), revision(bay))
        leases.rest(held, after=leases.lease(), retry="no answer")
        rested = Bay.objects.get(pk=bay.pk)
        self.assertNotEqual(revision(rested), revision(bay))
        self.assertNotEqual(revision(Bay(id=uuid.uuid4(), status=bay.status)), revision(bay))

    def test_any_other_row_changes_it_with_each_column(self):
        model = make.baymodel()
        before = revision(model)
        for column, value in (("name", "x"), ("labels", {"a": "1"}), ("public", True), ("user_id", "y")):
            other = BayModel.objects.get(pk=model.pk)
            self.assertEqual(revision(other), before)
            setattr(other, column, value)
            self.assertNotEqual(revision(other), before)

    def test_an_etag_tells_documents_apart_that_show_the_same_row(self):
        bay = make.bay()
        one, two = etag(bay, {"a": 1}), etag(bay, {"a": 2})
        self.assertNotEqual(one, two)
        self.assertEqual(one.partition("-")[0], two.partition("-")[0])
        self.assertRegex(one, r'^"[0-9a-f]{20}-[0-9a-f]{20}"$')


class ExpectedTests(TestCase):
    def test_it_lets_pass_what_it_has_seen_and_tells_what_it_finds_instead(self):
        bay = make.bay()
        seen(bay).check(bay)
        ANY.check(bay)
        with self.assertRaises(PreconditionFailed) as failed:
            Expected(frozenset({"0" * 20})).check(bay)
        self.assertEqual(failed.exception.headers, {"ETag": f'"{revision(bay)}"'})

    def test_a_locked_row_is_compared_as_it_is_now(self):
        model = make.baymodel()
        expected = seen(model)
        expected.lock(model)
        swap(BayModel, pk=model.pk, values={"tags": "new"})
        with self.assertRaises(PreconditionFailed):
            expected.lock(model)
        with self.assertNumQueries(0):
            ANY.lock(model)


class TagTests(SimpleTestCase):
    def tags(self, value):
        headers = {} if value is None else {"If-Match": value}
        return _tags(Request(RequestFactory().get("/", headers=headers)), "If-Match")

    def test_it_reads_lists_of_tags(self):
        for value, expected in {
            None: None,
            "*": ["*"],
            '"a"': ['"a"'],
            '"a", W/"b"': ['"a"', 'W/"b"'],
            '""': ['""'],
        }.items():
            self.assertEqual(self.tags(value), expected)

    def test_it_refuses_what_is_no_list_of_tags(self):
        for value in (
            "",
            "a",
            '"a',
            '"a" "b"',
            '*, "a"',
            '"a",',
            'w/"a"',
            '"é"',
            '"a\x00"',
            '"' + "x" * 300 + '"',
        ):
            with self.subTest(value[:10]), self.assertRaises(BadRequest):
                self.tags(value)
