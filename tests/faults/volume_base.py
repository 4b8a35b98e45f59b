"""Volumes on real nodes, a real broker and real storage.

`fast` and `slow` have a node each and the third node serves both: an N+1 layout, in which any node may die. Each test
ends with `assert_all_is_well`.
"""

from __future__ import annotations

import os
import random
import socket
import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.test import override_settings

from identity.models import Project
from lifecycle.models import Event, Leased, Node, Operation
from sync import invariants
from tests.faults.nodes import WholeNode
from tests.faults.storage_ground import RATE, Yard, content, scribble, yard
from tests.faults.whole import NodesTestCase, say
from volumes import storage
from volumes.models import (
    Attachment,
    Connection,
    Message,
    Pool,
    Quota,
    ServiceState,
    Snapshot,
    Volume,
    VolumeType,
)

WAITED = "for too long"
ROUNDS = int(os.environ.get("ROADSTEAD_FAULT_ROUNDS", "1"))
LEASE = 3.0
INNER = ("epoch", "newer call", "fenced", "stale", "lease")  # words that are no user's business
MODELS: tuple[type[Volume | Snapshot | Connection], ...] = (Volume, Snapshot, Connection)
CONNECTOR = {"host": socket.gethostname(), "ip": "127.0.0.1", "initiator": "iqn.2026-11.org.example:host"}


class VolumeFaultCase(NodesTestCase):
    version = "volume 3.71"
    node_count = 3
    layout: ClassVar[tuple[str, ...]] = ("fast", "slow", "fast,slow")
    yard: ClassVar[Yard]
    rate: ClassVar[int] = RATE
    told = {
        "ROADSTEAD_LEASE": f"{LEASE:g}",
        "ROADSTEAD_HEARTBEAT": "0.5",
        "ROADSTEAD_RING_INTERVAL": "2",
        "ROADSTEAD_STEP_LIMIT": "9",
        "ROADSTEAD_CLOUD_TIMEOUT": "1",
        "ROADSTEAD_COPY_SLICE": "0.5",
        "ROADSTEAD_POOL_REPORT": "5",
        "WORKER_CONCURRENCY": "3",
    }

    @classmethod
    def setUpClass(cls) -> None:
        cls.yard = cls.enterClassContext(yard(cls.rate))
        super().setUpClass()
        cls.enterClassContext(override_settings(BACKENDS_FILE=str(cls.yard.file), SERVES=["fast", "slow"]))

    @classmethod
    def telling(cls, number: int) -> dict[str, str]:
        serves = cls.layout[(number - 1) % len(cls.layout)]
        return {**cls.told, "ROADSTEAD_BACKENDS": str(cls.yard.file), "ROADSTEAD_SERVES": serves}

    def setUp(self) -> None:
        super().setUp()
        seed = int(os.environ.get("ROADSTEAD_FAULT_SEED", random.randrange(10**6)))
        say(f"{self._testMethodName}: ROADSTEAD_FAULT_SEED={seed}")
        self.rng = random.Random(seed)
        for name in ("fast", "slow"):
            specs = {"volume_backend_name": name}
            VolumeType.objects.get_or_create(name=name, defaults={"extra_specs": specs})
        unlimited = dict.fromkeys(("volumes_limit", "snapshots_limit", "gigabytes_limit"), -1)
        Quota.objects.update_or_create(project_id=Project.objects.get(name="demo").pk, defaults=unlimited)
        self.await_(lambda: Pool.objects.open().count() == 2, "both back-ends report")

    def _fixture_teardown(self) -> None:
        """Forget the volumes, not the nodes: those live on. What a failed test left is stopped with the nodes."""
        if any(self.busy()):
            self.have(0)
        ServiceState.objects.all().delete()
        Attachment.objects.all().delete()
        Connection.objects.all().delete()
        Volume.objects.update(reads_volume=None, reads_snapshot=None)
        for model in (Snapshot, Volume, Quota, Message, Operation, Event):
            model._default_manager.all().delete()
        Pool.objects.update(allocated_gb=0, frozen=False, disabled=False)
        self.yard.clear()

    # --- asking the API -------------------------------------------------------------------------------------
    def ask(self, method: str, path: str, body: object = None, *, node: int = 0, by: str = "demo") -> Any:
        """Ask a node's API, which must accept, and return what it answers; who waited too long for a row asks again."""

        def asked() -> list[Any]:
            answer = self.request(method, f"volume/v3/{path}", body, node=node, by=by)
            return [] if answer.status_code == 503 and WAITED in answer.text else [answer]

        (answer,) = self.await_(asked, f"{method} {path} is answered")
        self.assertIn(answer.status_code, {200, 202, 204}, answer.text)
        return answer.json() if answer.content else None

    def refused(self, status: int, *args: Any, **kwargs: Any) -> str:
        """Ask a node's API, which must refuse with this status, and return the text."""
        answer = self.request(args[0], f"volume/v3/{args[1]}", *args[2:], **kwargs)
        self.assertEqual(answer.status_code, status, answer.text)
        ((_, error),) = answer.json().items()
        return str(error["message"])

    def create(self, kind: str, *, node: int = 0, size: int | None = 1, **wish: object) -> Volume:
        """Have a volume accepted."""
        body = {"volume_type": kind, **({"size": size} if size else {}), **wish}

        def accepted() -> Any:  # an API remembers for a second what the pools were like
            answer = self.request("POST", "volume/v3/volumes", {"volume": body}, node=node)
            self.assertIn(answer.status_code, {202, 409, 503}, answer.text)
            return answer.json() if answer.status_code == 202 else None

        document = self.await_(accepted, f"a volume is accepted in {kind}", 10)
        return Volume.objects.get(pk=document["volume"]["id"])

    def created(self, kind: str, **wish: Any) -> Volume:
        """Return a volume that is available, with bytes in it."""
        volume = self.create(kind, **wish)
        self.await_status("available", volume)
        scribble(self.path(volume), self.rng)
        return volume

    def snap(self, volume: Volume, *, node: int = 0) -> Snapshot:
        """Have a snapshot accepted."""
        body = {"snapshot": {"volume_id": str(volume.pk), "name": "snap"}}
        document = self.ask("POST", "snapshots", body, node=node)
        return Snapshot.objects.get(pk=document["snapshot"]["id"])

    def clone(self, source: Volume | Snapshot, **how: Any) -> Volume:
        """Have a clone accepted."""
        key = "snapshot_id" if isinstance(source, Snapshot) else "source_volid"
        wish: dict[str, Any] = {"size": None, key: str(source.pk), **how}
        return self.create(source.backend, **wish)

    def act(self, volume: Volume, name: str, body: object = None, **how: Any) -> Any:
        return self.ask("POST", f"volumes/{volume.pk}/action", {name: body}, **how)

    def extend(self, volume: Volume, size: int) -> None:
        self.act(volume, "os-extend", {"new_size": size})

    def revert(self, volume: Volume, snapshot: Snapshot) -> None:
        self.act(volume, "revert", {"snapshot_id": str(snapshot.pk)})

    def delete(self, volume: Volume, *, cascade: bool = False, node: int = 0) -> None:
        self.ask("DELETE", f"volumes/{volume.pk}{'?cascade=true' if cascade else ''}", node=node)

    def attach(self, volume: Volume) -> str:
        """Attach the volume to a server on this host; return the attachment's id."""
        body = {"volume_uuid": str(volume.pk), "instance_uuid": str(uuid.uuid4()), "connector": CONNECTOR}
        answer = self.request("POST", "volume/v3/attachments", {"attachment": body})
        if answer.status_code == 503:  # who takes it up has just died; it goes on, and may be asked for again
            row = Attachment.objects.get(volume=volume)
            self.await_(lambda: not self.busy_ones(Connection), "the host is connected")
            self.ask("PUT", f"attachments/{row.pk}", {"attachment": {"connector": CONNECTOR}})
            return str(row.pk)
        self.assertEqual(answer.status_code, 200, answer.text)
        return str(answer.json()["attachment"]["id"])

    def detach(self, attachment: str) -> None:
        """Take the volume away from its server, as the service may that runs it."""
        answer = self.request("DELETE", f"volume/v3/attachments/{attachment}", by="admin")
        self.assertIn(answer.status_code, {200, 503}, answer.text)
        self.await_(lambda: not Attachment.objects.filter(pk=attachment).exists(), "the volume is detached")

    # --- waiting and looking --------------------------------------------------------------------------------
    def path(self, thing: Volume | Snapshot) -> Any:
        return self.yard.volume(thing.backend, thing.pk)

    def content(self, thing: Volume | Snapshot) -> str:
        return content(self.path(thing))

    def now_of(self, row: Any) -> Any:
        """Return the row as it is now, or None."""
        return type(row).objects.filter(pk=row.pk).first()

    def await_status(self, status: str, *rows: Volume | Snapshot) -> None:
        """Wait until all of them are in the status; one at rest in another one fails at once."""
        waiting = list(rows)

        def there() -> bool:
            for row in list(waiting):
                found = self.now_of(row)
                if found is None:
                    self.fail(f"{row.pk} is gone\n{self.picture()}")
                if found.status == status:
                    waiting.remove(row)
                elif found.status not in found.machine.busy:
                    self.fail(
                        f"{found.machine.name} {row.pk} is {found.status}, not {status}\n{self.picture()}"
                    )
            return not waiting

        self.await_(there, f"{len(rows)} are {status}")

    def await_gone(self, *rows: Volume | Snapshot) -> None:
        self.await_(lambda: not any(self.now_of(row) for row in rows), "all are gone")

    def under_way(self, row: Volume | Snapshot) -> Any:
        """Wait until the copy that makes the row has begun and somebody works on it; return the row as it is then."""
        journal = self.yard.pool(row.backend) / "fences" / str(row.pk)

        def copying() -> Any:
            found = self.now_of(row)
            held = found is not None and found.holder_id is not None
            return found if held and list(journal.glob("*/part.*")) else None

        return self.await_(copying, "the copy is under way")

    def node_of(self, row: Leased) -> WholeNode:
        """Return the node whose worker holds the row."""
        for node in self.nodes:
            worker = node.worker_node()
            if worker is not None and worker.pk == row.holder_id:
                return node
        raise self.failureException(f"{row.pk} is held by nobody\n{self.picture()}")

    def busy_ones(self, model: type[Volume | Snapshot | Connection]) -> list[Any]:
        return list(model._default_manager.filter(status__in=list(model.machine.busy)))

    def busy(self) -> list[Any]:
        return [row for model in MODELS for row in self.busy_ones(model)]

    def parts(self) -> list[str]:
        """Return what is stored of unfinished writes."""
        names = ("fast", "slow")
        return [each.name for name in names for each in storage.backend(name).inventory() if each.partial]

    def assert_all_is_well(self) -> None:
        """Nothing is busy, stray, unfinished or miscounted, and no user was told of what goes on inside."""
        self.await_(lambda: not self.busy(), "nothing is busy")
        self.assertEqual(list(invariants.violations(with_heat=False)), [], self.picture())
        self.assertEqual(self.parts(), [], self.picture())
        told = [
            *Message.objects.values_list("user_message", flat=True),
            *Operation.objects.values_list("reason", flat=True),
            *(
                reason
                for model in MODELS
                for reason in model._default_manager.values_list("status_reason", flat=True)
            ),
        ]
        inner = [text for text in told if any(word in text.lower() for word in INNER)]
        self.assertEqual(inner, [])

    def stale_refused(self) -> int:
        return sum(Node.objects.values_list("stale_refused", flat=True))

    def resources(self) -> Iterable[Leased]:
        return [row for model in MODELS for row in model._default_manager.all()]

    def outside(self) -> list[str]:
        pools = [
            f"{pool} {pool.allocated_gb}/{pool.promisable_gb} {pool.down_reason}"
            for pool in Pool.objects.all()
        ]
        try:
            return [
                *pools,
                "storage:",
                *(f"{each}" for n in ("fast", "slow") for each in storage.backend(n).inventory()),
            ]
        except Exception as error:  # noqa: BLE001 - the storage may be what is broken
            return [*pools, f"storage does not say: {error}"]
