"""Events are told in an order that no later commit goes back behind, and that is each resource's own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.test import TransactionTestCase

from bays.models import Bay
from bays.states import BAY, Status
from lifecycle import feed, leases, requests
from lifecycle.feed import Place, Wanted
from lifecycle.models import Event
from lifecycle.requests import Asked
from tests import make
from tests.faults.listening import await_
from tests.races.sessions import Session

ALL = Wanted((BAY.name,), None)


class OrderTests(TransactionTestCase):
    def setUp(self) -> None:
        self.model = make.baymodel()
        self.place: Place | None = None
        self.told: list[int] = []

    def session(self) -> Session:
        session = Session()
        self.addCleanup(session.close)
        return session

    def a_bay(self, status: str = Status.CREATE_COMPLETE) -> Bay:
        return make.bay(status, model=self.model)

    def read(self, limit: int = 10) -> list[int]:
        """Go on reading from where it was, and return the events that were told now."""
        page = feed.read(ALL, self.place, limit)
        self.place = page.next
        self.told += [event.pk for event in page.events]
        return [event.pk for event in page.events]

    def read_on(self, count: int, at_once: int = 10) -> None:
        """Go on until so many were told: what else writes on this server, in whatever database, delays them."""
        await_(lambda: self.read(at_once) is not None and len(self.told) >= count, f"{count} are told")
        self.assertEqual(self.read(), [])

    def everything(self) -> list[int]:
        return list(Event.objects.order_by("pk").values_list("pk", flat=True))

    def test_what_commits_late_under_a_smaller_id_is_told_once(self) -> None:
        one, other, late = self.a_bay(), self.a_bay(), self.session()
        self.read()
        late.begin()
        late.do(asked(one, "delete"))
        asked(other, "delete")()
        self.assertEqual(self.read(), [], "it waits for those who may still come before it")
        late.commit()
        self.read_on(2)
        self.assertEqual(self.told, self.everything())

    def test_what_is_rolled_back_holds_nothing_up_for_longer(self) -> None:
        one, other, late = self.a_bay(), self.a_bay(), self.session()
        late.begin()
        late.do(asked(one, "delete"))
        asked(other, "delete")()
        self.assertEqual(self.read(), [])
        late.roll_back()
        self.read_on(1)
        self.assertEqual(self.told, self.everything())

    def test_two_events_of_a_resource_are_told_as_they_happened_whoever_began_first(self) -> None:
        bay, began_first, between = self.a_bay(Status.CREATE_IN_PROGRESS), self.session(), self.session()
        began_first.begin()  # as a request with an Idempotency-Key does, by writing that down
        between.begin()
        created(bay)
        between_or_not = self.a_bay(), self.a_bay()
        between.do(asked(between_or_not[0], "delete"))
        began_first.do(asked(bay, "delete"))
        began_first.commit()
        self.read()
        between.commit()
        self.read_on(3)
        self.assertCountEqual(self.told, self.everything())
        of_bay = Event.objects.filter(resource_id=bay.pk).values_list("pk", flat=True)
        self.assertEqual([pk for pk in self.told if pk in set(of_bay)], sorted(of_bay))
        self.assertEqual(len(of_bay), 2)

    def test_pages_of_one_event_tell_the_same_as_a_page_of_all(self) -> None:
        bay, began_first = self.a_bay(Status.CREATE_IN_PROGRESS), self.session()
        began_first.begin()
        created(bay)
        began_first.do(asked(bay, "delete"))
        began_first.commit()
        for _ in range(3):
            asked(self.a_bay(), "delete")()
        self.read_on(5, at_once=1)
        whole = [event.pk for event in feed.read(ALL, None, 10).events]
        self.assertEqual(self.told, whole)
        self.assertEqual(len(whole), 5)


def asked(bay: Bay, event: str) -> Callable[[], object]:
    return lambda: requests.request(bay, event, Asked("u" * 32, make.PROJECT), name="bay1")


def created(bay: Bay) -> None:
    held = leases.claim(Bay, bay.pk)
    assert held is not None
    leases.rest(held, after=timedelta(0), clean=False)
    held = leases.claim(Bay, bay.pk)
    assert held is not None
    leases.move(held, "created")
