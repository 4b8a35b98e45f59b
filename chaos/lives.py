"""What one client of the load does, one thing after another, as its seed chooses.

Some rows are hot: every client of a project is at them at once. The rest belong to the client that made them. What
lives at a time is bounded, so that a long run is as hard at its end as at its beginning.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Mapping

import structlog

from chaos import asking
from chaos.client import Client, Request
from chaos.history import Call
from chaos.tenants import Tenant
from chaos.world import Known, World

log = structlog.get_logger(__name__)

HOT_VOLUMES, HOT_BAYS = 3, 1  # rows that a project has for all its clients
MOST = {"volume": 40, "snapshot": 25, "bay": 4}  # living, of a project
AGAIN = 0.1  # the share of accepted POSTs that are sent once more
GUARDED = 0.3  # the share of changes and deletes that carry If-Match
LARGEST = 60  # GiB that a volume is extended to
GONE = 404


class Life:
    """What one client does, one thing after another."""

    def __init__(
        self,
        client: Client,
        tenant: Tenant,
        *,
        tenants: Mapping[str, Tenant],
        operator: Tenant,
        world: World,
        mix: Mapping[str, int],
        pause: float,
    ) -> None:
        self._client, self._tenant, self._tenants = client, tenant, tenants
        self._operator, self._world, self._pause = operator, world, pause
        self._rng: random.Random = client.rng
        self._names = (f"c{client.number}-{number}" for number in itertools.count(1))
        self._etags: dict[str, str] = {}
        self._actions: dict[str, Callable[[], None]] = {
            "volume.create": self._create_volume,
            "volume.clone": self._clone,
            "volume.show": self._show_volume,
            "volume.list": self._list_volumes,
            "volume.update": self._update_volume,
            "volume.extend": self._extend,
            "volume.delete": self._delete_volume,
            "volume.revert": self._revert,
            "volume.reset": self._reset,
            "snapshot.create": self._create_snapshot,
            "snapshot.show": self._show_snapshot,
            "snapshot.delete": self._delete_snapshot,
            "attach": self._attach,
            "transfer": self._transfer,
            "bay.create": self._create_bay,
            "bay.show": self._show_bay,
            "bay.list": self._list_bays,
            "bay.resize": self._resize_bay,
            "bay.delete": self._delete_bay,
        }
        self._mix = {name: weight for name, weight in mix.items() if weight}

    def run(self, stopped: threading.Event) -> None:
        """Act until told to stop. An error of our own ends this client alone, loudly."""
        try:
            while not stopped.is_set():
                name, asked = (
                    self._rng.choices(list(self._mix), list(self._mix.values()))[0],
                    self._client.asked,
                )
                self._actions[name]()
                if self._client.asked == asked:  # there was nothing to do it to, or too much there already
                    self._make_room()
                stopped.wait(self._rng.uniform(0, 2 * self._pause))
        except Exception:
            log.exception("a client of the load broke", client=self._client.number)
            raise
        finally:
            self._client.close()

    def _make_room(self) -> None:
        """Do what lets others be done: so the load is the same when there is much as when there is little."""
        if len(self._world.find("volume", self._tenant.name)) < min(MOST["volume"], self._tenant.volumes):
            self._create_volume()
        else:
            self._delete_volume()

    # --- volumes --------------------------------------------------------------------------------------------
    def _create_volume(self) -> None:
        rows = self._world.find("volume", self._tenant.name)
        if len(rows) < MOST["volume"]:
            hot = sum(row.hot for row in rows) < HOT_VOLUMES
            self._made("volume", asking.create_volume(next(self._names), self._rng.randint(1, 3)), hot=hot)

    def _clone(self) -> None:
        rows = self._world.find("volume", self._tenant.name)
        kind = self._rng.choice(["volume", "snapshot"])
        source = self._pick(kind)
        if source and len(rows) < MOST["volume"]:
            given = {"source_volid" if kind == "volume" else "snapshot_id": source.id}
            self._made("volume", asking.create_volume(next(self._names), None, **given))

    def _show_volume(self) -> None:
        if row := self._pick("volume"):
            call = self._client.ask(self._tenant, asking.show_volume(row.id))
            self._learned(row, call)
            if call.accepted and call.answer:
                row.size = int(call.answer["size"])

    def _list_volumes(self) -> None:
        call = self._client.ask(self._tenant, asking.list_volumes())
        for ident, seen in (call.answer or {}).get("volumes", {}).items():
            self._world.add(Known("volume", ident, self._tenant.name, None, ident, int(seen["size"])))

    def _update_volume(self) -> None:
        if row := self._pick("volume"):
            word = next(self._names)
            changes: Mapping[str, object] = self._rng.choice([{"name": word}, {"metadata": {"word": word}}])
            self._gone(row, self._try(asking.update_volume(row.id, changes, self._seen(row))))

    def _extend(self) -> None:
        if (row := self._pick("volume")) and row.size < LARGEST:
            call = self._client.insist(
                self._tenant, asking.extend(row.id, row.size + self._rng.randint(1, 2))
            )
            if call.accepted:
                row.size = int(call.args["new_size"])
            self._again(asking.extend(row.id, int(call.args["new_size"])), call)
            self._gone(row, call)

    def _delete_volume(self) -> None:
        if row := self._pick("volume"):
            cascade = self._rng.random() < 0.5  # noqa: PLR2004 - as often as not
            self._gone(
                row, self._try(asking.delete_volume(row.id, cascade=cascade, if_match=self._seen(row)))
            )

    def _revert(self) -> None:
        if snapshot := self._pick("snapshot"):
            latest = self._world.of_volume("snapshot", snapshot.volume)[-1:] or [snapshot]
            request = asking.revert(snapshot.volume, latest[0].id)
            self._again(request, self._client.insist(self._tenant, request))

    def _reset(self) -> None:
        """Have an operator call off whatever is done to a volume. Only to `error`: more would be told untrue."""
        if row := self._pick("volume"):
            self._client.insist(self._operator, asking.reset(row.id, "error"))

    # --- snapshots ------------------------------------------------------------------------------------------
    def _create_snapshot(self) -> None:
        row = self._pick("volume")
        if row and len(self._world.find("snapshot", self._tenant.name)) < MOST["snapshot"]:
            self._made("snapshot", asking.create_snapshot(row.id, next(self._names)), volume=row.id)

    def _show_snapshot(self) -> None:
        if row := self._pick("snapshot"):
            self._gone(row, self._client.ask(self._tenant, asking.show_snapshot(row.id, row.volume)))

    def _delete_snapshot(self) -> None:
        if row := self._pick("snapshot"):
            self._gone(row, self._try(asking.delete_snapshot(row.id, row.volume)))

    # --- who uses a volume ----------------------------------------------------------------------------------
    def _attach(self) -> None:
        """Attach as a server does, and detach; what was broken off is ended by whoever comes next."""
        for left in self._world.find("attachment", self._tenant.name)[:2]:
            if left.client in {None, self._client.number}:
                self._end_attachment(left)
        row = self._pick("volume")
        if row is None:
            return
        call = self._client.insist(self._tenant, asking.create_attachment(row.id))
        if not (call.accepted and call.resource):
            self._gone(row, call)
            return
        mine = Known("attachment", call.resource, self._tenant.name, self._client.number, row.id)
        self._world.add(mine)
        for act in (self._connect, self._complete)[: self._rng.choice([0, 1, 2, 2])]:
            if not act(mine):
                break
        self._end_attachment(mine)

    def _connect(self, row: Known) -> bool:
        return self._try(asking.connect_attachment(row.id, row.volume)).accepted

    def _complete(self, row: Known) -> bool:
        return self._client.insist(self._tenant, asking.complete_attachment(row.id, row.volume)).accepted

    def _end_attachment(self, row: Known) -> None:
        call = self._try(asking.delete_attachment(row.id, row.volume))
        if call.accepted or call.status == GONE:
            self._world.forget(row.id)
        else:
            row.client = None

    def _transfer(self) -> None:
        """Offer a volume to the partner, who takes it over; or withdraw the offer."""
        row = self._pick("volume")
        if row is None or row.hot or not self._tenant.partner:
            return
        request = asking.offer(row.id)
        call = self._client.insist(self._tenant, request)
        if not (call.accepted and call.answer and call.resource):
            self._gone(row, call)
            return
        key = call.answer.get("auth_key")
        partner = self._tenants[self._tenant.partner]
        if key is None or self._rng.random() < 0.2:  # noqa: PLR2004 - now and then
            self._try(asking.withdraw(call.resource, row.id))
            return
        taken = self._client.insist(partner, asking.accept(call.resource, row.id, key))
        if taken.accepted:
            row.tenant, row.client = partner.name, None
            for child in self._world.of_volume("snapshot", row.id):
                child.tenant = partner.name
        elif not taken.unknown:
            self._try(asking.withdraw(call.resource, row.id))

    # --- bays -----------------------------------------------------------------------------------------------
    def _create_bay(self) -> None:
        rows = self._world.find("bay", self._tenant.name)
        if len(rows) < MOST["bay"]:
            hot = sum(row.hot for row in rows) < HOT_BAYS
            request = asking.create_bay(self._tenant, next(self._names), self._rng.randint(1, 2))
            self._made("bay", request, hot=hot)

    def _show_bay(self) -> None:
        if row := self._pick("bay"):
            self._learned(row, self._client.ask(self._tenant, asking.show_bay(row.id)))

    def _list_bays(self) -> None:
        call = self._client.ask(self._tenant, asking.list_bays())
        for ident in (call.answer or {}).get("bays", {}):
            self._world.add(Known("bay", ident, self._tenant.name, None))

    def _resize_bay(self) -> None:
        if row := self._pick("bay"):
            nodes = self._rng.randint(1, 3)
            self._gone(row, self._try(asking.resize_bay(row.id, nodes, self._seen(row))))

    def _delete_bay(self) -> None:
        if row := self._pick("bay"):
            self._gone(row, self._try(asking.delete_bay(row.id, self._seen(row))))

    # --- common to all --------------------------------------------------------------------------------------
    def _pick(self, kind: str) -> Known | None:
        return self._world.pick(self._rng, kind, self._tenant.name, self._client.number)

    def _made(self, kind: str, request: Request, *, hot: bool = False, volume: str = "") -> None:
        call = self._client.insist(self._tenant, request)
        self._again(request, call)
        if call.accepted and call.resource:
            size = int((call.answer or {}).get("size") or 1)
            client = None if hot else self._client.number
            self._world.add(Known(kind, call.resource, self._tenant.name, client, volume, size, hot))

    def _again(self, request: Request, call: Call) -> None:
        """Send what was accepted once more under its key, now and then: it must be answered as before."""
        if call.accepted and call.key and self._rng.random() < AGAIN:
            self._client.ask(self._tenant, request, call.key)

    def _try(self, request: Request, times: int = 3) -> Call:
        """Send what needs no key until it is answered, a few times; what came of an unanswered one stays unknown."""
        call = self._client.ask(self._tenant, request)
        for _ in range(times - 1):
            if not call.unknown:
                break
            call = self._client.ask(self._tenant, request)
        return call

    def _seen(self, row: Known) -> str | None:
        """Return the ETag under which this client saw the row last, in a share of the calls."""
        return self._etags.get(row.id) if self._rng.random() < GUARDED else None

    def _learned(self, row: Known, call: Call) -> None:
        if call.answer and "etag" in call.answer:
            self._etags[row.id] = str(call.answer["etag"])
        self._gone(row, call)

    def _gone(self, row: Known, call: Call) -> None:
        if call.status == GONE:
            self._world.forget(row.id)
            self._etags.pop(row.id, None)
