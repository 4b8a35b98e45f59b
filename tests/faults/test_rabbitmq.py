"""What holds with Valkey holds with RabbitMQ, one node of it and a cluster of three."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

from amqp import Message
from amqp.exceptions import AMQPError
from django.test import SimpleTestCase, override_settings

from bays.states import Status
from chaos.processes import send
from deploy import ready
from deploy.rabbitmq import Rabbit
from deploy.servers import servers
from deploy.state import StartError, State
from project.env import BASE_DIR
from tests.deploy.programs import eventually
from tests.faults import test_broker, test_processes
from tests.faults.base import FaultTestCase, say
from tests.faults.brokers import RabbitMQ
from tests.faults.ground import Ground, Hold, ground, heat_ground
from workers import bell
from workers.queues import DELIVERIES, LENGTH, arguments

SLACK = 10.0  # seconds: for ever is longer
QUORUM = {
    "x-queue-type": "quorum",
    "x-delivery-limit": DELIVERIES,
    "x-max-length": LENGTH,
    "x-overflow": "drop-head",
}

RINGER = """
import sys, time, uuid
import django
django.setup()
from bays.models import Bay
from bays.tasks import advance_bay
from workers import bell
for line in sys.stdin:
    bell._quiet_until = 0.0
    began = time.monotonic()
    print(bell.ring(advance_bay, Bay(id=uuid.uuid4())), time.monotonic() - began, flush=True)
"""


DELETER = """
import django
django.setup()
from project.celery import app
from workers.queues import delete_dead
app.amqp.queues.select(["bells", "ticks"])
print(delete_dead(app))
"""


class DeadQueueTests(SimpleTestCase):
    def test_a_queue_that_came_back_dead_is_deleted_and_one_that_lives_is_not(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        own = {"rabbitmq"}
        try:
            with redirect_stdout(StringIO()):
                running = self.enterContext(servers(State(Path(folder) / "state"), own, own=own))
        except StartError as error:
            raise unittest.SkipTest(str(error)) from error
        (rabbit,) = running.rabbits
        supervisor = running.supervisors[rabbit.name]
        self.declare(rabbit, "bells")
        supervisor.hold(rabbit.name)  # kill -9
        supervisor.release(rabbit.name)
        ready.until(rabbit.is_ready, supervisor[rabbit.name], 120)
        self.declare(rabbit, "ticks")
        lives = self.takes(rabbit, "bells")
        say(f"a quorum queue as old as its broker's kill -9: {'came back' if lives else 'is dead'}")
        dead = self.delete_dead(rabbit)
        if not lives and dead == "[]":  # it was only slow to elect its leader
            lives = self.takes(rabbit, "bells")
        self.assertEqual(dead, str([] if lives else ["bells"]))
        self.assertTrue(eventually(lambda: self.declare(rabbit, "bells") and self.takes(rabbit, "bells")))
        self.assertEqual(self.delete_dead(rabbit), "[]")

    def declare(self, rabbit: Rabbit, name: str) -> bool:
        with self.channel(rabbit) as channel:
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=QUORUM)
            return True
        return False

    def takes(self, rabbit: Rabbit, name: str) -> bool:
        with self.channel(rabbit) as channel:
            channel.confirm_select()
            channel.basic_publish_confirm(Message("a bell"), routing_key=name, confirm_timeout=5)
            return True
        return False

    @contextmanager
    def channel(self, rabbit: Rabbit) -> Iterator[Any]:
        """Lend a channel, and leave without a farewell, which would not be answered after a failure."""
        link = rabbit.connect()
        try:
            link.connect()
            with suppress(TimeoutError, AMQPError):
                yield link.channel()
        finally:
            link.collect()

    def delete_dead(self, rabbit: Rabbit) -> str:
        told = {"BROKER_URL": rabbit.url(), "DJANGO_SETTINGS_MODULE": "project.settings"}
        done = subprocess.run(
            [sys.executable, "-c", DELETER],
            cwd=BASE_DIR,
            env={**os.environ, **told},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip().splitlines()[-1]


class BellTests(SimpleTestCase):
    """A process that knows RabbitMQ, and rings whenever it is told to."""

    def test_it_never_holds_up_who_rings(self) -> None:
        stand = ground("rabbitmq")
        (rabbit,) = stand.servers.rabbits
        server = rabbit.name
        self.start(stand)
        self.assertTrue(eventually(lambda: self.ring()[0]))
        pid = stand.servers.pids()[server]
        self.addCleanup(send, [pid], signal.SIGCONT)
        send([pid], signal.SIGSTOP)
        for connection in ("kept", "new"):
            rung, seconds = self.ring()
            say(f"a bell over a {connection} connection to a frozen RabbitMQ: given up after {seconds:.2f} s")
            self.assertFalse(rung)
            self.assertLess(seconds, bell.PATIENCE + SLACK)
        send([pid], signal.SIGCONT)
        self.assertTrue(eventually(lambda: self.ring()[0]))
        # In peace: its queue is seconds old, and RabbitMQ may lose such a one with kill -9 (docs/brokers.md).
        stand.servers.supervisors[server].hold(server, signal.SIGTERM)
        self.addCleanup(stand.restart, server)
        rung, seconds = self.ring()
        say(f"a bell to a RabbitMQ that is gone: given up after {seconds:.3f} s")
        self.assertFalse(rung)
        self.assertLess(seconds, bell.PATIENCE + SLACK)
        stand.restart(server)
        stand.broker.await_up()
        self.assertTrue(eventually(lambda: self.ring()[0]))

    def start(self, stand: Ground) -> None:
        told = {"BROKER_URL": stand.broker_url, "DJANGO_SETTINGS_MODULE": "project.settings"}
        self.ringer = self.enterContext(
            subprocess.Popen(
                [sys.executable, "-c", RINGER],
                cwd=BASE_DIR,
                env={**os.environ, **told},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        )
        self.addCleanup(self.ringer.kill)

    def ring(self) -> tuple[bool, float]:
        """Return whether the bell was published, and after how many seconds it said so."""
        assert self.ringer.stdin is not None
        assert self.ringer.stdout is not None
        self.ringer.stdin.write("\n")
        self.ringer.stdin.flush()
        rung, seconds = self.ringer.stdout.readline().split()
        return rung == "True", float(seconds)


class RabbitMQBrokerTests(test_broker.BrokerTests):
    """Wiped, killed, restarted, forged: as with Valkey; and what is RabbitMQ's own."""

    @classmethod
    def stand(cls) -> Ground:
        return heat_ground("rabbitmq")

    @property
    def rabbit(self):
        broker = self.ground.broker
        assert isinstance(broker, RabbitMQ)
        return broker.nodes[0]

    def test_every_queue_is_replicated_and_bounded_and_there_are_no_others(self) -> None:
        columns = self.rabbit.ctl("list_queues", "--no-table-headers", "-p", "roadstead", "name", "arguments")
        queues = dict(line.split("\t") for line in columns.splitlines())
        # Another test may have left that of Heat's notifications, which is none of the broker's.
        queues = {name: queue for name, queue in queues.items() if not name.startswith("roadstead.")}
        self.assertEqual(set(queues), {"bells", "ticks", "node.node1", "node.node2"})
        for name, told in queues.items():
            with self.subTest(name):
                self.assertIn('{"x-queue-type","quorum"}', told)
                self.assertIn(f'{{"x-delivery-limit",{DELIVERIES}}}', told)

    def test_a_queue_that_is_deleted_is_there_again_and_so_is_the_work(self) -> None:
        (node,) = self.nodes
        worker = node.pid("worker")
        for queue in ("bells", "ticks"):
            self.rabbit.delete(queue)
        deleted = self.now()
        self.created(3)
        last = max(event.at for event in self.events("created"))
        say(f"work after both queues were deleted: {(last - deleted).total_seconds():.2f} s")
        self.assertEqual(node.pid("worker"), worker, "the same worker, which listens again")
        self.assert_all_is_well()

    def test_a_message_that_comes_back_again_and_again_is_dropped(self) -> None:
        with override_settings(BROKER_KIND="rabbitmq"):
            declared = arguments("bells")
        with self.rabbit.connect() as link:
            channel = link.channel()
            channel.queue_declare("poison", durable=True, auto_delete=False, arguments=declared)
            self.addCleanup(self.rabbit.delete, "poison")
            channel.basic_publish(Message("kills"), routing_key="poison")
            message = self.await_(lambda: channel.basic_get("poison"), "it is delivered")
            taken = 0
            while message:
                taken += 1
                channel.basic_reject(message.delivery_tag, requeue=True)
                message = channel.basic_get("poison")
        self.assertEqual(taken, DELIVERIES + 1)


class RabbitMQProcessTests(test_processes.TwoNodesTests):
    """Workers killed and frozen."""

    @classmethod
    def stand(cls) -> Ground:
        return heat_ground("rabbitmq")


class ClusterTests(FaultTestCase):
    """One of three nodes at a time is gone."""

    node_count = 2

    @classmethod
    def stand(cls) -> Ground:
        return heat_ground("rabbitmq-cluster")

    def test_work_goes_on_while_each_node_in_turn_is_killed_and_started_again(self) -> None:
        broker = self.ground.broker
        assert isinstance(broker, RabbitMQ)
        for node in broker.nodes:
            with self.subTest(node.name):
                with self.proxy.hold("POST", "stacks") as hold:
                    bays = self.create(4)
                    self.await_(partial(self.are_held, hold, 4), "they are worked on")
                    self.ground.kill(node.name)
                    self.addCleanup(self.ground.restart, node.name)
                    killed = self.now()
                    bays += self.create(2)
                self.await_status(bays, Status.CREATE_COMPLETE)
                last = max(event.at for event in self.events("created", killed))
                say(
                    f"6 bays, {node.name} of three killed: done {(last - killed).total_seconds():.2f} s later"
                )
                self.ground.restart(node.name)
                self.await_(node.is_ready, f"{node.name} is back")
        self.assert_all_is_well()

    def are_held(self, hold: Hold, count: int) -> bool:
        return hold.held >= count
