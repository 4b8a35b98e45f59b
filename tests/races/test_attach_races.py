"""Who attaches against who attaches, deletes, reads or detaches; and workers against who comes and goes."""

from __future__ import annotations

import threading
import time
import uuid
from functools import partial
from unittest.mock import patch

from django.db import OperationalError, connection
from django.db.models.functions import Now

from api.problems import BadRequest, Busy, Conflict, NotFound, Problem, WrongState
from lifecycle.errors import LifecycleError
from lifecycle.models import Event, Operation
from lifecycle.swap import swap_many
from tests import make
from tests.races.base import PATIENCE, RaceTestCase, raised
from tests.volumes.storing import Stored
from volumes.actions import attachments, detaching, older_attach, snapshots, volumes
from volumes.actions import connections as accepting
from volumes.actions.volumes import Wish
from volumes.models import Attachment, Connection, Quota, Volume
from volumes.tasks import advance_connection

WIDTH = 16
ROUNDS = 5
WAY = {"host": "h1", "ip": "10.0.0.1"}
REFUSED = (Problem, LifecycleError)


def server() -> str:
    return str(uuid.uuid4())


class AttachCase(RaceTestCase):
    def setUp(self) -> None:
        make.pool()
        self.by, self.nova = make.caller(), make.caller("admin")
        self.a_volume()
        Quota.objects.update(volumes_limit=-1, snapshots_limit=-1, gigabytes_limit=-1)

    def a_volume(self, status: str = "available", **over) -> Volume:
        row: Volume = make.volume(status, **over)
        return row

    def attach(self, volume: Volume, **how) -> Attachment:
        return attachments.create(self.by, "", volume, instance=server(), **how)

    def won(self, results) -> int:
        """Return how many won, and check that each loser was refused and not broken off."""
        lost = [result for result in results if isinstance(result, Exception)]
        self.assertEqual([one for one in lost if not isinstance(one, REFUSED)], [])
        return len(results) - len(lost)

    def status(self, volume: Volume) -> str:
        return Volume.objects.values_list("status", flat=True).get(pk=volume.pk)


class AttachRaces(AttachCase):
    def test_sixteen_servers_want_one_volume_and_one_has_it(self) -> None:
        for _ in range(ROUNDS):
            volume = self.a_volume()
            results = self.race(*[partial(self.attach, volume)] * WIDTH)
            self.assertEqual(self.won(results), 1, results)
            self.assertEqual(len(raised(results, WrongState)), WIDTH - 1)
            self.assertEqual((volume.attachments.count(), self.status(volume)), (1, "reserved"))

    def test_sixteen_servers_want_one_volume_by_the_older_protocol_and_one_has_it(self) -> None:
        def attach(volume: Volume) -> bool:
            to = "/dev/vdb"
            older_attach.attach(self.by, "", volume, instance=server(), host=None, mountpoint=to, mode="rw")
            return True

        for number in range(ROUNDS):
            volume = self.a_volume()
            mixed = [partial(attach, volume)] * (WIDTH - number) + [partial(self.attach, volume)] * number
            results = self.race(*mixed)
            self.assertEqual(self.won(results), 1, results)
            self.assertEqual(volume.attachments.count(), 1)

    def test_sixteen_reservations_have_one_winner(self) -> None:
        for _ in range(ROUNDS):
            volume = self.a_volume()
            results = self.race(*[partial(older_attach.reserve, self.by, "", volume)] * WIDTH)
            self.assertEqual(self.won(results), 1, results)
            self.assertEqual(Event.objects.filter(resource_id=volume.pk, event="reserve").count(), 1)

    def test_sixteen_servers_share_a_volume_that_may_be_shared(self) -> None:
        volume = self.a_volume(multiattach=True)
        results = self.race(*[partial(self.attach, volume, connector=WAY)] * WIDTH)
        self.assertEqual(self.won(results), WIDTH, results)
        self.assertEqual(volume.attachments.count(), WIDTH)
        way = Connection.objects.get()
        self.assertEqual(way.attachments.count(), WIDTH)
        self.assertEqual(Operation.objects.filter(resource_id=way.pk).count(), 1)

    def test_an_attachment_and_a_delete_have_one_winner(self) -> None:
        for _ in range(ROUNDS):
            volume = self.a_volume()
            *attached, deleted = self.race(
                *[partial(self.attach, volume)] * (WIDTH - 1), partial(volumes.delete, self.by, "", volume)
            )
            self.assertEqual(self.won([*attached, deleted]), 1, attached)
            expected = ("deleting", 0) if isinstance(deleted, Volume) else ("reserved", 1)
            self.assertEqual((self.status(volume), volume.attachments.count()), expected)

    def test_who_writes_and_who_reads_keep_each_other_away(self) -> None:
        def clone(volume: Volume) -> Volume:
            return volumes.create(self.by, "", Wish(source_volid=str(volume.pk)))

        for number in range(2 * ROUNDS):
            volume = self.a_volume()
            snap = partial(snapshots.create, self.by, "", volume)
            readers = [partial(clone, volume) if number % 2 else snap] * 3
            *read, attached = self.race(*readers, partial(self.attach, volume))
            self.won([*read, attached])
            read = [one for one in read if not isinstance(one, Exception)]
            if isinstance(attached, Attachment):
                self.assertEqual((read, self.status(volume)), ([], "reserved"))
            else:
                self.assertIsInstance(attached, Busy)
                self.assertEqual((len(read), self.status(volume)), (3, "available"))

    def test_sixteen_detaches_end_it_once(self) -> None:
        for _ in range(ROUNDS):
            volume = self.a_volume()
            mine = self.attach(volume)
            results = self.race(*[partial(detaching.delete, self.by, "", mine)] * WIDTH)
            self.assertEqual(self.won(results), 1, results)
            self.assertEqual(len(raised(results, NotFound)), WIDTH - 1)
            self.assertEqual((volume.attachments.count(), self.status(volume)), (0, "available"))
            self.assertEqual(Event.objects.filter(resource_id=volume.pk, event="detach").count(), 1)

    def test_all_detach_at_once_and_the_volume_is_free(self) -> None:
        for _ in range(ROUNDS):
            volume = self.a_volume(multiattach=True)
            mine = [self.attach(volume) for _ in range(8)]
            results = self.race(*(partial(detaching.delete, self.by, "", one) for one in mine))
            self.assertEqual(self.won(results), 8, results)
            self.assertEqual((volume.attachments.count(), self.status(volume)), (0, "available"))

    def test_two_hosts_of_one_volume_do_not_connect_at_once(self) -> None:
        """A server that migrates has two attachments, and its volume one connected host by updates."""
        for _ in range(ROUNDS):
            volume, moving = self.a_volume(), server()
            mine = [attachments.create(self.by, "", volume, instance=moving) for _ in range(8)]
            results = self.race(
                *(
                    partial(attachments.update, self.by, "", one, {"host": f"h{number}"})
                    for number, one in enumerate(mine)
                )
            )
            self.assertEqual(self.won(results), 1, results)
            self.assertEqual(len(raised(results, Conflict)), 7)
            self.assertEqual(Connection.objects.filter(volume=volume).count(), 1)


class WorkerRaces(Stored, AttachCase):
    """The API locks the volume, then the connection, and a worker the other way round: neither waits for the other."""

    options = 'hosts = ["h1", "h2"]'

    def setUp(self) -> None:
        self.set_up_storage(self)
        self.by, self.nova = make.caller(), make.caller("admin")

    def work_until(self, ended: threading.Event, errors: list[Exception]) -> None:
        try:
            while not ended.wait(0.001):
                swap_many(
                    Connection,
                    holder=None,
                    status__in=list(Connection.machine.busy),
                    values={"not_before": Now()},
                )
                for pk in Connection.objects.filter(status__in=Connection.machine.busy).values_list(
                    "pk", flat=True
                ):
                    advance_connection(pk=str(pk))
        except Exception as error:  # noqa: BLE001 - the test's result
            errors.append(error)
        finally:
            connection.close()

    def test_hosts_come_and_go_while_workers_write_and_nobody_waits_for_ever(self) -> None:
        """A deadlock would be seen: PostgreSQL ends one of the two, who gets an error that is no refusal."""
        self.enterContext(patch.object(accepting, "PATIENCE", PATIENCE))
        volume = self.create()
        Volume.objects.filter(pk=volume.pk).update(multiattach=True)
        ended, errors = threading.Event(), []  # type: ignore[var-annotated]
        workers = [threading.Thread(target=self.work_until, args=(ended, errors)) for _ in range(3)]
        for worker in workers:
            worker.start()

        def come_and_go(host: str) -> int:
            done, end = 0, time.monotonic() + PATIENCE
            while done < 3 and time.monotonic() < end:
                try:
                    mine = attachments.create(
                        self.by, "", volume, instance=server(), connector={"host": host}
                    )
                    detaching.delete(self.nova, "", mine)
                    done += 1
                except (WrongState, Conflict, BadRequest, LifecycleError):
                    time.sleep(0.002)  # the volume is just ending: come again
            return done

        try:
            results = self.race(*(partial(come_and_go, f"h{1 + number % 2}") for number in range(8)))
        finally:
            end = time.monotonic() + 20
            while Connection.objects.exists() and time.monotonic() < end:
                time.sleep(0.01)
            ended.set()
            for worker in workers:
                worker.join()
        self.assertEqual([one for one in results if isinstance(one, Exception)], [])
        self.assertEqual(errors, [])
        self.assertEqual(results, [3] * 8)
        self.assertEqual((self.status(volume), Attachment.objects.count()), ("available", 0))
        self.assertEqual(Event.objects.filter(event="give_up").count(), 0)
        self.assertEqual(self.violations(), [])

    def test_who_comes_while_a_worker_writes_the_end_lets_it_finish_first(self) -> None:
        """The very moment: the worker has the connection's row and waits for the volume's, which the API has."""
        volume = self.create()
        Volume.objects.filter(pk=volume.pk).update(multiattach=True)
        stays = attachments.create(self.by, "", volume, instance=server(), connector={"host": "h2"})
        for _ in range(ROUNDS):
            mine = attachments.create(self.by, "", volume, instance=server(), connector=WAY)
            for way in Connection.objects.all():
                self.work(way)
            detaching.delete(self.nova, "", mine)
            ending = Connection.objects.get(host="h1")
            results = self.race(
                partial(self.work, ending),
                *[partial(attachments.create, self.by, "", volume, instance=server(), connector=WAY)] * 3,
                partial(older_attach.initialize_connection, self.by, "", volume, WAY),
            )
            self.assertEqual(raised(results, OperationalError), [])
            for one in Attachment.objects.exclude(pk=stays.pk):
                detaching.delete(self.nova, "", one)
            older_attach.terminate_connection(self.nova, "", volume, WAY)
            for way in Connection.objects.filter(host="h1"):
                self.work(way)
            self.assertEqual(list(Connection.objects.values_list("host", flat=True)), ["h2"])
        self.assertEqual(self.violations(), [])
