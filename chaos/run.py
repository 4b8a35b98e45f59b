"""One run: a clean phase, the faults, quiet, and what is kept of it all for the verdict."""

from __future__ import annotations

import json
import random
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psycopg2

from chaos import plan
from chaos.eyes import Eyes
from chaos.faults.base import Kind, Scene
from chaos.ground import Ground
from chaos.history import Faults, History
from chaos.load import Load
from chaos.quiet import quiesce
from chaos.storage import MIB, Storage
from chaos.striking import Striking
from chaos.tenants import make_tenants

SCRIBBLE = (1 * MIB, 4 * MIB)  # bytes that a user writes to a new volume, from and to
EVERY = 0.5


@dataclass(frozen=True)
class Wish:
    """What a run shall be like."""

    duration: float  # seconds of faults
    clean: float  # seconds of load before them
    seed: int
    broker: str
    kinds: Sequence[Kind]
    rate: float  # strikes a second
    calls: float  # of the load, a second
    clients: int
    patience: float  # seconds of quiet until what is busy is called stuck


@dataclass
class Phases:
    """When what began, in nanoseconds of the monotonic clock, and what never came to its end."""

    clean: int
    faults: int
    quiet: int
    ended: int
    stuck: list[str]
    errors: list[str]  # of the harness


def run(ground: Ground, wish: Wish, home: Path) -> Phases:
    """Carry it out, keep its history below `home` and return what it was."""
    from workers.bootsteps import leased_models  # noqa: PLC0415 - Django is set up by now

    planned = plan.make(wish.seed, wish.duration, wish.rate, wish.kinds)
    (home / "plan.txt").write_text("".join(f"{strike}\n" for strike in planned))
    print(f"\nPlan of seed {wish.seed}, {len(planned)} strikes:", *planned, sep="\n  ", flush=True)
    tenants = make_tenants(ground)
    tables = [model._meta.db_table for model in leased_models()]  # noqa: SLF001
    with (
        History(home / "history.jsonl") as history,
        Faults(home / "faults.jsonl") as record,
        Eyes(ground.database_url, tables) as eyes,
        Scribbler(ground.database_url, ground.storage, wish.seed),
    ):
        load = Load(ground.urls, tenants, wish.seed, history, clients=wish.clients, rate=wish.calls)
        striking = Striking(Scene(ground, eyes), wish.kinds, record)
        clean = _say(f"{wish.clean:g} s of load without faults")
        load.start()
        try:
            time.sleep(wish.clean)
            faults = _say(f"{wish.duration:g} s of faults")
            striking.carry_out(planned, wish.duration)
        finally:
            quiet = _say("no more faults; the load ends, and what is owed comes to its end")
            load.stop()
            striking.finish()
        stuck = quiesce(ground, eyes, wish.patience)
        ended = _say(f"quiet{': STUCK ' + '; '.join(stuck) if stuck else ''}")
    if striking.missed:
        print(f"nothing to strike at the moment of: {dict(striking.missed)}", flush=True)
    phases = Phases(clean, faults, quiet, ended, stuck, striking.errors)
    (home / "phases.json").write_text(json.dumps(phases.__dict__, indent=1))
    return phases


def keep(ground: Ground, home: Path) -> None:
    """Keep the rows that tell how everything went, and the logs of the nodes, beside the history."""
    from django.core.serializers import serialize  # noqa: PLC0415 - Django is set up by now

    from lifecycle.models import Event, Node, Operation  # noqa: PLC0415

    for model in (Event, Operation, Node):
        with (home / f"{model.__name__.lower()}s.jsonl").open("w") as file:
            serialize("jsonl", model._default_manager.order_by("pk").iterator(), stream=file)  # noqa: SLF001
    logs = ground.state.directory("nodes")
    shutil.copytree(logs, home / "logs", ignore=lambda _, names: [n for n in names if not n.endswith(".log")])


class Scribbler:
    """Writes to volumes as their users would, so that copies have something to copy."""

    def __init__(self, database_url: str, storage: Storage, seed: int) -> None:
        self._url = database_url
        self._storage = storage
        self._rng = random.Random(f"scribbler {seed}")
        self._over = threading.Event()
        self._written: set[str] = set()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="scribbler", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            with suppress(psycopg2.Error):
                for volume in self._new():
                    self._storage.scribble(volume, self._rng, self._rng.randint(*SCRIBBLE))

    def _new(self) -> list[str]:
        connection = psycopg2.connect(self._url, connect_timeout=2)
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT id::text FROM volumes_volume WHERE status = 'available'")
                found = {pk for (pk,) in cursor.fetchall()} - self._written
        finally:
            connection.close()
        self._written |= found
        return sorted(found)


def _say(what: str) -> int:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)
    return time.monotonic_ns()
