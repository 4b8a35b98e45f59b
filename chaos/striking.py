"""Carries out a plan: each strike in a thread of its own, at its moment, healed at its time, recorded."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Sequence

from django.db import connection

from chaos.faults.base import Blow, Kind, Nothing, Scene
from chaos.history import Faults
from chaos.plan import Strike


class Striking:
    """A plan under way."""

    def __init__(self, scene: Scene, kinds: Sequence[Kind], record: Faults) -> None:
        self._scene = scene
        self._kinds = {kind.name: kind for kind in kinds}
        self._record = record
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._now: Counter[str] = Counter()  # what is being spoilt
        self.struck: Counter[str] = Counter()
        self.missed: Counter[str] = Counter()  # for want of anything to strike
        self.errors: list[str] = []  # of the harness

    def carry_out(self, plan: Sequence[Strike], duration: float) -> None:
        """Strike as planned; when this returns the time is over, and what is still struck is being healed."""
        begun = time.monotonic()
        for strike in plan:
            if self._over.wait(max(0.0, begun + strike.at - time.monotonic())):
                break
            thread = threading.Thread(target=self._strike, args=(strike,), name=str(strike), daemon=True)
            thread.start()
            self._threads.append(thread)
        self._over.wait(max(0.0, begun + duration - time.monotonic()))
        self._over.set()

    def finish(self) -> None:
        """Strike no more; when this returns all is healed and everything is recorded."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _strike(self, strike: Strike) -> None:
        blow = self._kinds[strike.kind].blow(self._scene, strike.target, random.Random(strike.seed))
        begun = time.monotonic_ns()
        beside = self._beside()
        try:
            said = blow.strike()
        except Nothing:
            self.missed[strike.kind] += 1
            return
        except Exception as error:  # noqa: BLE001 - what failed is the harness's blow: told, and the run goes on
            self._fail(strike, "struck", error)
            return
        finally:
            connection.close()
        with self._lock:
            self._now[strike.kind] += 1
            self.struck[strike.kind] += 1
        try:
            self._over.wait(strike.lasts)
            ended = self._heal(strike, blow)
        finally:
            with self._lock:
                self._now[strike.kind] -= 1
        took: dict[str, object] = {}
        if blow.watch is not None:
            blow.watch.ended.wait()
            took = {"take_overs": blow.watch.told()}
        self._record.note(
            strike.kind,
            strike.target,
            begun,
            ended,
            said,
            number=strike.number,
            group=self._kinds[strike.kind].group,
            beside=beside,
            **took,
        )

    def _heal(self, strike: Strike, blow: Blow) -> int | None:
        """Heal it, again and again if need be; return when that was done."""
        for _ in range(5):
            try:
                blow.heal()
                return time.monotonic_ns()
            except Exception as error:  # noqa: BLE001 - a server may be out just now, by another strike
                said = error
                time.sleep(2)
            finally:
                connection.close()
        self._fail(strike, "healed", said)
        return None

    def _beside(self) -> list[str]:
        with self._lock:
            return [kind for kind, count in self._now.items() if count]

    def _fail(self, strike: Strike, what: str, error: Exception) -> None:
        self.errors.append(f"{strike} could not be {what}: {type(error).__name__}: {error}")
