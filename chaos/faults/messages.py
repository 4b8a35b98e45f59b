"""Messages nobody of ours has sent: forged ones, bells of long ago rung again, bells rung many times over."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

from chaos.eyes import Watch
from chaos.faults.base import Kind, Nothing, Scene

BELLS = {  # by the kind of resource: the task, and the queues in which it is rung for
    "bay": ("bays.advance_bay", ("bells",)),
    "volume": ("volumes.advance_volume", ("store.fast", "store.slow")),
    "snapshot": ("volumes.advance_snapshot", ("store.fast", "store.slow")),
    "connection": ("volumes.advance_connection", ("store.fast", "store.slow")),
}
FORGED: tuple[tuple[bytes, str], ...] = (
    (b"cos\nsystem\n(S'true'\ntR.", "application/x-python-serialize"),
    (b"\xff\xfe", "application/json"),
    (b"[]", "application/json"),
    (b'[[], {"pk": 7}, null]', "application/json"),
    (b'[["x"], {"pk": "DROP TABLE"}, {}]', "application/json"),
    (b"", "text/plain"),
)
Send = Callable[[Any, random.Random], int]


class Messages:
    """Sends them, past the links."""

    def __init__(self, scene: Scene, rng: random.Random, send: Send) -> None:
        self._url = scene.ground.broker_url
        self._rng = rng
        self._send = send
        self.watch: Watch | None = None

    def strike(self) -> str:
        """Send them.

        :raises Nothing: the broker, or the database that knows whom to ring for, is out just now.
        """
        from django.db import DatabaseError  # noqa: PLC0415 - Django is set up by now
        from kombu import Connection  # noqa: PLC0415
        from kombu.exceptions import KombuError  # noqa: PLC0415

        with Connection(self._url, connect_timeout=3) as link:
            errors = link.connection_errors + link.channel_errors
            out: tuple[type[BaseException], ...] = (OSError, DatabaseError, KombuError, *errors)
            try:
                link.ensure_connection(max_retries=1, timeout=3)
                return f"{self._send(link, self._rng)} sent"
            except out as error:
                raise Nothing from error

    def heal(self) -> None:
        """Do nothing: they are sent."""


def _forged(link: Any, rng: random.Random) -> int:
    """Send what is no bell, and bells for what is not there."""
    task, queues = rng.choice(list(BELLS.values()))
    headers = {"task": task, "id": str(uuid.UUID(int=rng.getrandbits(128))), "lang": "py"}
    with link.Producer() as producer:
        for body, kind in rng.sample(FORGED, 3):
            producer.publish(
                body,
                routing_key=rng.choice(queues),
                content_type=kind,
                content_encoding="utf-8",
                headers=headers,
                serializer=None,
            )
    return 3 + _ring(link, rng, [("volume", str(uuid.UUID(int=rng.getrandbits(128)))) for _ in range(5)])


def _replayed(link: Any, rng: random.Random) -> int:
    """Ring for what was worked on at some time in this run, whether it is still there or not."""
    from lifecycle.models import Operation  # noqa: PLC0415 - Django is set up by now

    known = list(Operation.objects.order_by("?").values_list("resource_type", "resource_id")[:20])
    return _ring(link, rng, [(kind, str(pk)) for kind, pk in known])


def _doubled(link: Any, rng: random.Random) -> int:
    """Ring many times for what is being worked on now."""
    from lifecycle.models import Operation  # noqa: PLC0415 - Django is set up by now

    owed = Operation.objects.filter(finished_at=None).values_list("resource_type", "resource_id")[:10]
    return _ring(link, rng, [(kind, str(pk)) for kind, pk in owed for _ in range(5)])


def _ring(link: Any, rng: random.Random, rows: list[tuple[str, str]]) -> int:
    from project.celery import app  # noqa: PLC0415 - Django is set up by now

    for kind, pk in rows:
        task, queues = BELLS[kind]
        app.send_task(task, kwargs={"pk": pk}, queue=rng.choice(queues), connection=link, retry=False)
    return len(rows)


def _kind(name: str, send: Send) -> Kind:
    return Kind(name, "messages", ("broker",), lambda scene, _, rng: Messages(scene, rng, send), weight=2)


KINDS = [_kind("forged", _forged), _kind("replayed", _replayed), _kind("doubled", _doubled)]
