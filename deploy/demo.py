"""`make demo`: the main job, end to end, with its worker killed in the middle; then the node stays up.

Everything goes through the REST API and a real Heat; nothing here knows the node's insides but the pid of the
worker that it kills.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from statistics import median
from typing import Any

from clouds.heat import connect
from deploy.demo_volumes import VolumeDemo
from deploy.door import Door
from deploy.progress import progress, say
from deploy.stack import Stack
from deploy.state import StartError
from deploy.up import foreground

BAYS = 10
NAME = "demo-"
BOOT_SECONDS = "3"
PATIENCE = 180.0  # seconds for any stage
LOOK = 0.25  # seconds between two looks at the API


def main() -> int:
    """Run the demo, then stay up until a signal; return the exit code."""
    return foreground("make demo", __doc__, lambda running: Demo(running).run())


class Demo:
    """The stages, in order; each prints what it did and stops the demo if it is not so."""

    def __init__(self, running: Stack) -> None:
        self._stack = running
        self._door = Door(running.urls[0], "demo", running.passwords["demo"], "demo")
        self._heat = connect({k: v for k, v in running.env.items() if k.startswith("OS_")})
        self._run = f"{time.time():.0f}"[
            -5:
        ]  # names of this run: the demo can be run again on the same state
        self._model = ""

    def run(self) -> None:
        """Run every stage.

        :raises StartError: something is not as promised.
        """
        say(f"\nThe main job, through {self._stack.urls[0]}/container-infra/v1")
        self._clear()
        self._model = self._make_baymodel()
        ids = self._create_bays()
        killed_at = self._kill_the_worker()
        self._await_all(ids, "CREATE_COMPLETE", "all ten bays are CREATE_COMPLETE")
        self._show_take_overs(ids, killed_at)
        self._count_stacks(ids)
        self._resize(ids[0])
        self._fail_one()
        self._delete(ids[1])
        VolumeDemo(self._stack).run()
        self._stack.manage("check_invariants")
        say("  check_invariants: all invariants hold")

    def _clear(self) -> None:
        """Delete the bays of an earlier demo on the same state: the project's quota has no room for two."""
        earlier = {bay["uuid"] for bay in self._door.get("bays")["bays"] if bay["name"].startswith(NAME)}
        for ident in earlier:
            self._door.delete(f"bays/{ident}")
        if earlier:
            self._await(lambda: not earlier & self._ids(), "they were gone")
            say(f"  {len(earlier)} bays of an earlier demo deleted")

    def _ids(self) -> set[str]:
        return {bay["uuid"] for bay in self._door.get("bays")["bays"]}

    def _make_baymodel(self) -> str:
        model = {"name": f"small-{self._run}", "coe": "demo", "image_id": "none", "labels": {}}
        made = self._door.post("baymodels", model)
        say(f"  baymodel {made['name']} created ({made['uuid']})")
        return str(made["uuid"])

    def _create_bays(self) -> list[str]:
        began = time.monotonic()
        ids = [self._create(f"{NAME}{self._run}-{number}", nodes=2) for number in range(BAYS)]
        say(f"  {BAYS} bays accepted in {time.monotonic() - began:.2f} s, each 202 is a committed row")
        return ids

    def _create(self, name: str, *, nodes: int, **labels: str) -> str:
        body = {
            "name": name,
            "baymodel_id": self._model,
            "node_count": nodes,
            "labels": {"boot_seconds": BOOT_SECONDS, **labels},
        }
        return str(self._door.post("bays", body)["uuid"])

    def _kill_the_worker(self) -> datetime:
        pid = self._stack.pids()["node1.worker"]
        killed_at = datetime.now(UTC)
        os.kill(pid, signal.SIGKILL)
        say(f"  worker of node1 (pid {pid}) killed with -9 while they are in flight")
        return killed_at

    def _await_all(self, ids: Iterable[str], status: str, what: str) -> None:
        wanted, began = set(ids), time.monotonic()

        def there() -> bool:
            statuses = {bay["uuid"]: bay["status"] for bay in self._door.get("bays")["bays"]}
            done = sum(statuses[ident] == status for ident in wanted)
            progress(f"  {done} of {len(wanted)} {status}")
            return bool(done == len(wanted))

        self._await(there, what)
        say(f"  {what}, {time.monotonic() - began:.1f} s later")

    def _await(self, there: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not there():
            if time.monotonic() > end:
                bays = [(bay["name"], bay["status"], bay["uuid"]) for bay in self._door.get("bays")["bays"]]
                raise StartError(f"Waited {PATIENCE:.0f} s in vain until {what}: {bays}")
            time.sleep(LOOK)

    def _show_take_overs(self, ids: list[str], killed_at: datetime) -> None:
        """Print, for each bay that the dead worker held, when its lease was given up and taken over."""
        taken = []
        say("  what the dead worker held, seconds after its death:")
        for ident in ids:
            (operation,) = self._door.get(f"operations?resource_id={ident}")["operations"]
            events = self._door.get(f"operations/{operation['id']}")["events"]
            given_up, taken_over = _first(events, "give_up"), _first(events, "take_over")
            if taken_over is None:
                continue
            seconds = (taken_over - killed_at).total_seconds()
            freed = f"given up {(given_up - killed_at).total_seconds():.2f}, " if given_up else ""
            taken.append(seconds)
            say(f"    {operation['resource_name']:<14} {freed}taken over {seconds:.2f}")
        if taken:
            say(f"    {len(taken)} take-overs: median {median(taken):.2f} s, slowest {max(taken):.2f} s")
        else:
            say("    nothing: it died between two steps")

    def _count_stacks(self, ids: list[str]) -> None:
        tags = [tag for found in self._heat.tagged("roadstead") for tag in found.tags]
        counts = {ident: tags.count(f"roadstead-bay-{ident}") for ident in ids}
        if set(counts.values()) != {1}:
            raise StartError(f"Not one stack for each bay: {counts}")
        say(f"  Heat has exactly one stack for each of the {len(ids)} bays")

    def _resize(self, ident: str) -> None:
        self._door.post(f"clusters/{ident}/actions/resize", {"node_count": 4})
        self._await_all([ident], "UPDATE_COMPLETE", "one bay resized from 2 to 4 nodes")
        bay = self._door.get(f"bays/{ident}")
        say(f"    {bay['name']}: {', '.join(bay['node_addresses'])}; API at {bay['api_address']}")

    def _fail_one(self) -> None:
        ident = self._create(f"{NAME}{self._run}-doomed", nodes=2, fail_node="1")
        self._await_all([ident], "CREATE_FAILED", "one bay made to fail")
        say(f"    its reason: {self._door.get(f'bays/{ident}')['status_reason']}")

    def _delete(self, ident: str) -> None:
        began = time.monotonic()
        self._door.delete(f"bays/{ident}")
        self._await(lambda: ident not in self._ids(), "it was gone")
        say(f"  one bay deleted: gone from the API and from Heat {time.monotonic() - began:.1f} s later")


def _first(events: list[dict[str, Any]], name: str) -> datetime | None:
    return next((datetime.fromisoformat(event["at"]) for event in events if event["event"] == name), None)


if __name__ == "__main__":
    sys.exit(main())
