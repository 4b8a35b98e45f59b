"""An offer is taken, withdrawn or gone with its volume: one of these, whoever comes at the same moment."""

from __future__ import annotations

from functools import partial

from api.problems import NotFound, OverQuota, Problem
from identity.callers import Caller
from lifecycle.errors import LifecycleError
from lifecycle.models import Event
from sync.invariants import volumes as invariants
from tests import make
from tests.races.base import RaceTestCase, raised
from volumes.actions import attachments, snapshots, transfers, volumes
from volumes.models import Quota, Snapshot, Transfer, Volume

WIDTH = 16
ROUNDS = 5
RED = "q" * 32


class TransferRaces(RaceTestCase):
    def setUp(self) -> None:
        make.pool()
        self.by, self.admin = make.caller(), make.caller("admin")
        self.red = make.caller(project=RED, user="e" * 32)
        Quota.objects.create(
            project_id=make.PROJECT, volumes_limit=-1, snapshots_limit=-1, gigabytes_limit=-1
        )

    def tearDown(self) -> None:
        self.assertEqual(list(invariants.quotas_equal_what_is_there()), [])
        super().tearDown()

    def offered(self, volume: Volume | None = None) -> tuple[Volume, Transfer, str]:
        volume = volume or make.volume()
        offer = transfers.create(self.by, "", volume)
        return volume, offer, transfers.key_of(offer)

    def accept(self, offer: Transfer, key: str, by: Caller | None = None) -> Transfer:
        return transfers.accept(by or self.red, "", str(offer.pk), key)

    def withdraw(self, offer: Transfer) -> str:
        transfers.delete(self.by, "", Transfer.objects.select_related("volume").get(pk=offer.pk))
        return "withdrawn"

    def won(self, results) -> int:
        lost = [result for result in results if isinstance(result, Exception)]
        broken = [
            one for one in lost if not isinstance(one, Problem | LifecycleError | Transfer.DoesNotExist)
        ]
        self.assertEqual(broken, [])
        return len(results) - len(lost)

    def test_sixteen_accept_and_one_has_it(self) -> None:
        for _ in range(ROUNDS):
            volume = make.volume()
            make.snapshot(volume)
            volume, offer, key = self.offered(volume)
            takers = [make.caller(project=f"{number:032x}", user="e" * 32) for number in range(WIDTH)]
            results = self.race(*(partial(self.accept, offer, key, by) for by in takers))
            self.assertEqual(self.won(results), 1, results)
            self.assertEqual(len(raised(results, NotFound)), WIDTH - 1)
            volume.refresh_from_db()
            owner = takers[[isinstance(one, Transfer) for one in results].index(True)].project
            self.assertEqual((volume.project_id, volume.status), (owner, "available"))
            self.assertEqual(Snapshot.objects.get(volume=volume).project_id, owner)
            self.assertEqual(Event.objects.filter(resource_id=volume.pk, event="accept_transfer").count(), 1)

    def test_accepting_and_withdrawing_have_one_winner(self) -> None:
        for _ in range(2 * ROUNDS):
            volume, offer, key = self.offered()
            half = WIDTH // 2
            results = self.race(
                *[partial(self.accept, offer, key)] * half, *[partial(self.withdraw, offer)] * half
            )
            self.assertEqual(self.won(results), 1, results)
            volume.refresh_from_db()
            owner = make.PROJECT if "withdrawn" in results else RED
            self.assertEqual((volume.project_id, volume.status), (owner, "available"))
            self.assertFalse(Transfer.objects.exists())

    def test_accepting_and_a_forced_delete_leave_no_offer_and_one_owner(self) -> None:
        for _ in range(2 * ROUNDS):
            volume, offer, key = self.offered()
            force = partial(volumes.delete, self.admin, "", volume, force=True)
            *accepted, deleted = self.race(*[partial(self.accept, offer, key)] * (WIDTH - 1), force)
            self.won([*accepted, deleted])
            volume.refresh_from_db()
            taken = sum(isinstance(one, Transfer) for one in accepted)
            self.assertEqual(volume.project_id, RED if taken else make.PROJECT)
            # Who asked for the end of the old owner's volume does not get that of the new owner's.
            self.assertEqual(volume.status, "deleting" if isinstance(deleted, Volume) else "available")
            self.assertLessEqual(taken, 1)
            self.assertFalse(Transfer.objects.exists())

    def test_offers_deletes_and_attachments_have_one_winner(self) -> None:
        for _ in range(2 * ROUNDS):
            volume = make.volume()
            results = self.race(
                *[partial(transfers.create, self.by, "", volume)] * 6,
                *[partial(attachments.create, self.by, "", volume)] * 5,
                *[partial(volumes.delete, self.by, "", volume)] * 5,
            )
            self.assertEqual(self.won(results), 1, results)
            volume.refresh_from_db()
            there = (
                volume.status,
                Transfer.objects.filter(volume=volume).count(),
                volume.attachments.count(),
            )
            self.assertIn(there, [("awaiting-transfer", 1, 0), ("reserved", 0, 1), ("deleting", 0, 0)])

    def test_a_snapshot_is_deleted_or_goes_along(self) -> None:
        for _ in range(2 * ROUNDS):
            volume = make.volume()
            child = make.snapshot(volume)
            volume, offer, key = self.offered(volume)
            accepted, deleted = self.race(
                partial(self.accept, offer, key), partial(snapshots.delete, self.by, "", child)
            )
            self.won([accepted, deleted])
            child.refresh_from_db()
            volume.refresh_from_db()
            if isinstance(accepted, Transfer):
                self.assertEqual((volume.project_id, child.project_id), (RED, RED))
            else:
                self.assertEqual((child.status, child.project_id), ("deleting", make.PROJECT))

    def test_the_last_room_of_a_project_goes_to_one_of_sixteen(self) -> None:
        Quota.objects.create(project_id=RED, volumes_limit=1)
        offers = [self.offered() for _ in range(WIDTH)]
        results = self.race(*(partial(self.accept, offer, key) for _, offer, key in offers))
        self.assertEqual(self.won(results), 1, results)
        self.assertEqual(len(raised(results, OverQuota)), WIDTH - 1)
        self.assertEqual(Transfer.objects.count(), WIDTH - 1)

    def test_two_projects_that_give_to_each_other_do_not_wait_for_each_other(self) -> None:
        """A deadlock would end one of two with an error that is no refusal."""
        Quota.objects.create(project_id=RED, volumes_limit=-1, gigabytes_limit=-1)
        for _ in range(ROUNDS):
            mine = [self.offered() for _ in range(8)]
            theirs = []
            for _ in range(8):
                volume = make.volume(project_id=RED)
                offer = transfers.create(self.red, "", volume)
                theirs.append((volume, offer, transfers.key_of(offer)))
            results = self.race(
                *(partial(self.accept, offer, key) for _, offer, key in mine),
                *(partial(self.accept, offer, key, self.by) for _, offer, key in theirs),
            )
            self.assertEqual(self.won(results), 16, results)
