"""The second part of `make demo`: bytes through snapshot, clone and extend, with the worker killed in the copy.

Bytes are written to the volume's file as a server that has it attached would write to its device.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.door import Door
from deploy.progress import progress, say
from deploy.stack import Stack
from deploy.state import StartError

PATH, VERSION = "volume/v3", "volume 3.71"
TYPE, BACKEND = "demo-slow", "slow"
NAME = "demo-volume"
MIB = 2**20
WRITTEN = 128 * MIB  # bytes that the copy has to move: four seconds of it, by the back-end's copy_rate
OLD, NEW = b"old bytes of the demo. ", b"new bytes of the demo! "
PATIENCE = 120.0  # seconds for any stage
LOOK = 0.1  # seconds between two looks at the API
CONNECTOR = {"host": os.uname().nodename, "ip": "127.0.0.1"}


class VolumeDemo:
    """The stages, in order; each prints what it did and stops the demo if it is not so."""

    def __init__(self, running: Stack) -> None:
        self._stack = running
        self._door = self._login("demo")

    def _login(self, user: str) -> Door:
        password = self._stack.passwords[user]
        return Door(self._stack.urls[0], user, password, "demo", path=PATH, version=VERSION)

    def run(self) -> None:
        """Run every stage.

        :raises StartError: something is not as promised.
        """
        say(f"\nVolumes, through {self._stack.urls[0]}/{PATH}")
        self._clear()
        self._make_type()
        volume = self._create("", {"size": 1, "volume_type": TYPE})
        path = self._path_of(volume)
        write(path, OLD)
        say(f"  {WRITTEN // MIB} MiB of old bytes written to it, as a server would")
        snapshot = self._snapshot(volume)
        write(path, NEW)
        say("  overwritten with new bytes")
        clone = self._clone_with_its_worker_killed(snapshot)
        copy = self._path_of(clone)
        self._expect(copy, OLD, "the clone holds the old bytes")
        self._expect(path, NEW, "the volume holds the new ones")
        self._extend(clone)
        self._expect(copy, OLD, "and still holds the old bytes")
        self._delete_all(snapshot, volume, clone)
        self._show_empty()

    # --- stages ---------------------------------------------------------------------------------------------
    def _clear(self) -> None:
        """Delete what an earlier demo on the same state has left."""
        left = [each for each in self._door.get("volumes/detail")["volumes"] if each["name"].startswith(NAME)]
        for each in left:
            self._door.delete(f"volumes/{each['id']}?cascade=True")
        self._await_gone([f"volumes/{each['id']}" for each in left])

    def _make_type(self) -> None:
        admin = self._login("admin")
        if any(each["name"] == TYPE for each in admin.get("types")["volume_types"]):
            return
        specs = {"volume_backend_name": BACKEND}
        admin.post("types", {"volume_type": {"name": TYPE, "extra_specs": specs}})
        say(
            f"  volume type {TYPE} made: back-end {BACKEND}, whose copies are slowed down so that they can be watched"
        )

    def _create(self, what: str, body: dict[str, Any]) -> str:
        made = self._door.post("volumes", {"volume": {"name": f"{NAME}{what}", **body}})["volume"]
        self._await(lambda: self._status(made["id"]) == "available", f"{made['name']} was available")
        say(f"  {made['name']} of {made['size']} GiB is available ({made['id']})")
        return str(made["id"])

    def _snapshot(self, volume: str) -> str:
        made = self._door.post("snapshots", {"snapshot": {"volume_id": volume, "name": f"{NAME}-snapshot"}})
        ident = str(made["snapshot"]["id"])

        def there() -> bool:
            snapshot = self._door.get(f"snapshots/{ident}")["snapshot"]
            progress(f"  snapshot: {snapshot.get('os-extended-snapshot-attributes:progress')}")
            return bool(snapshot["status"] == "available")

        self._await(there, "the snapshot was available")
        say(f"  its snapshot is available ({ident})")
        return ident

    def _clone_with_its_worker_killed(self, snapshot: str) -> str:
        body = {"name": f"{NAME}-clone", "snapshot_id": snapshot, "volume_type": TYPE}
        clone = str(self._door.post("volumes", {"volume": body})["volume"]["id"])
        self._await(lambda: bool(self._parts(clone)), "its copy was under way")
        pid = self._stack.pids()["node1.worker"]
        killed_at = datetime.now(UTC)
        os.kill(pid, signal.SIGKILL)
        say(f"  its clone is being copied; worker of node1 (pid {pid}) killed with -9 in the copy")
        self._await(lambda: self._status(clone) == "available", "the clone was available")
        (operation,) = self._door.get(f"operations?resource_id={clone}")["operations"]
        events = self._door.get(f"operations/{operation['id']}")["events"]
        taken = [datetime.fromisoformat(each["at"]) for each in events if each["event"] == "take_over"]
        seconds = [f"{(at - killed_at).total_seconds():.2f} s" for at in taken]
        told = f"taken over {', '.join(seconds)} after its death" if seconds else "it died between two steps"
        say(f"  the clone is available: {told}, copied on from where it had stopped")
        return clone

    def _extend(self, clone: str) -> None:
        self._door.post(f"volumes/{clone}/action", {"os-extend": {"new_size": 2}})
        self._await(lambda: self._status(clone) == "available", "the clone was extended")
        size = self._door.get(f"volumes/{clone}")["volume"]["size"]
        say(f"  the clone extended to {size} GiB")

    def _delete_all(self, snapshot: str, *volumes: str) -> None:
        self._door.delete(f"snapshots/{snapshot}")
        self._await_gone([f"snapshots/{snapshot}"])
        for volume in volumes:
            self._door.delete(f"volumes/{volume}")
        self._await_gone([f"volumes/{volume}" for volume in volumes])
        say("  snapshot, volume and clone deleted")

    def _show_empty(self) -> None:
        left = [path for pool in self._pools() for path in (pool / "volumes").iterdir()]
        left += [path for pool in self._pools() for path in pool.glob("fences/*/*/part.*")]
        if left:
            raise StartError(f"Something is left in the storage: {left}")
        say(f"  nothing is left in {len(self._pools())} pools: no file, no unfinished copy")

    # --- looking --------------------------------------------------------------------------------------------
    def _pools(self) -> list[Path]:
        return sorted(path.parent for path in (self._stack.state.path / "volumes").glob("*/.roadstead-pool"))

    def _parts(self, ident: str) -> list[Path]:
        return [path for pool in self._pools() for path in pool.glob(f"fences/{ident}/*/part.*")]

    def _path_of(self, volume: str) -> Path:
        """Return the volume's file, found as an attached host finds it: in the connection's info."""
        body = {"os-initialize_connection": {"connector": CONNECTOR}}
        info = self._door.post(f"volumes/{volume}/action", body)["connection_info"]
        self._door.post(f"volumes/{volume}/action", {"os-terminate_connection": {"connector": CONNECTOR}})
        return Path(info["data"]["device_path"])

    def _status(self, volume: str) -> str:
        status = str(self._door.get(f"volumes/{volume}")["volume"]["status"])
        if status.startswith("error"):
            raise StartError(f"Volume {volume} is {status}: {self._door.get('messages')['messages'][:1]}")
        return status

    def _await_gone(self, paths: list[str]) -> None:
        kinds = {path.partition("/")[0] for path in paths}

        def gone() -> bool:
            left = {f"{kind}/{each['id']}" for kind in kinds for each in self._door.get(kind)[kind]}
            return not left & set(paths)

        self._await(gone, "they were gone")

    def _await(self, there: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not there():
            if time.monotonic() > end:
                raise StartError(f"Waited {PATIENCE:.0f} s in vain until {what}.")
            time.sleep(LOOK)

    def _expect(self, path: Path, data: bytes, what: str) -> None:
        with path.open("rb") as file:
            for _ in range(WRITTEN // MIB):
                if file.read(MIB) != block(data):
                    raise StartError(f"Not so: {what}.")
        say(f"  {what}, every byte of {WRITTEN // MIB} MiB")


def write(path: Path, data: bytes) -> None:
    """Write WRITTEN bytes to the volume and make them durable."""
    with path.open("r+b") as file:
        for _ in range(WRITTEN // MIB):
            file.write(block(data))
        os.fsync(file.fileno())


def block(data: bytes) -> bytes:
    """Return a MiB of the data."""
    return (data * (MIB // len(data) + 1))[:MIB]
