"""Links: how one party reaches another, each a TCP port of its own that can be cut, refused, delayed and black-holed.

All links of a run are served by one process (`python -m chaos.links FILE`), which is told through a Unix socket. It
needs no privilege and no kernel module. What it cannot do: the kernel still acknowledges what is sent into a black
hole, so neither keepalives nor TCP time-outs end such a connection, only the patience of who waits; it is as if the
other side were frozen. What a black hole has swallowed arrives when it is healed, late, unless its sender has hung up.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import json
import random
import socket
import struct
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)  # close at once, and say so


class Mode(enum.StrEnum):
    OPEN = "open"
    CUT = "cut"  # connections are reset, new ones refused
    REFUSE = "refuse"  # new connections are refused, those that are there go on
    DELAY = "delay"  # each chunk comes later
    BLACK_HOLE = "black_hole"  # nothing arrives, nothing is refused


class Ways(enum.StrEnum):
    BOTH = "both"
    TO = "to"  # what the client sends: its requests have no effect while it lasts
    FROM = "from"  # what the server answers: requests have their effect, and nobody is told


@dataclass(frozen=True, slots=True)
class Condition:
    """What a link is like."""

    mode: Mode = Mode.OPEN
    ways: Ways = Ways.BOTH
    delay: float = 0.0  # seconds
    jitter: float = 0.0  # up to so many seconds more

    def holds(self, way: Ways) -> bool:
        return self.mode is Mode.BLACK_HOLE and self.ways in {way, Ways.BOTH}

    def late(self, way: Ways) -> float:
        if self.mode is not Mode.DELAY or self.ways not in {way, Ways.BOTH}:
            return 0.0
        return self.delay + random.uniform(0, self.jitter)


class Link:
    """A port and what is behind it."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.target = target
        self.condition = Condition()
        self._listener: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()

    async def become(self, condition: Condition) -> None:
        """Be so from now on, for connections that are there too."""
        self.condition = condition
        self._changed.set()
        self._changed = asyncio.Event()
        if condition.mode in {Mode.CUT, Mode.REFUSE}:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
        elif self._listener is None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=512)
        if condition.mode is Mode.CUT:
            for end in list(self._ends):
                end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        further: asyncio.StreamWriter | None = None
        try:
            await self._passable(Ways.TO)
            answers, further = await asyncio.open_connection("127.0.0.1", self.target)
            if self.condition.mode is Mode.CUT:
                return
            self._ends.add(further)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass_on(reader, further, Ways.TO))
                both.create_task(self._pass_on(answers, writer, Ways.FROM))
        except* OSError:
            pass
        finally:
            for end in (writer, further):
                if end is not None:
                    self._ends.discard(end)
                    end.transport.abort()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, way: Ways) -> None:
        """Pass on what comes, in its order. What comes while an earlier chunk is late waits for that too."""
        while data := await source.read(CHUNK):
            if late := self.condition.late(way):
                await asyncio.sleep(late)
            await self._passable(way)
            sink.write(data)
            await sink.drain()
        await self._passable(way)
        if way is Ways.FROM:
            raise ConnectionResetError  # the server has hung up: so do we
        if sink.can_write_eof():
            sink.write_eof()

    async def _passable(self, way: Ways) -> None:
        while self.condition.holds(way):
            await self._changed.wait()


async def serve(links: Mapping[str, Link], control: Path) -> None:
    """Serve the links until cancelled; each line on the control socket is the name of a link and its condition."""

    async def told(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            name, wanted = json.loads(line)
            mode, ways = Mode(wanted.pop("mode")), Ways(wanted.pop("ways"))
            await links[name].become(Condition(mode, ways, **wanted))
            writer.write(b"done\n")
            await writer.drain()
        writer.close()

    for link in links.values():
        await link.become(Condition())
    server = await asyncio.start_unix_server(told, control)
    async with server:
        await server.serve_forever()


class Switchboard:
    """Tells the process that serves the links."""

    def __init__(self, control: Path) -> None:
        self._control = control

    def put(self, link: str, condition: Condition) -> None:
        """Have a link be so; it is when this returns.

        :raises OSError: the links are not served.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self._control))
            connection.sendall(json.dumps([link, asdict(condition)]).encode() + b"\n")
            if connection.recv(16) != b"done\n":
                raise ConnectionError(f"link {link} was not put {condition.mode}")

    def heal(self, link: str) -> None:
        self.put(link, Condition())

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._control))
            return True
        return False


def main() -> None:
    """Serve the links of a file: its control socket, and by name the port of each and the port behind it."""
    told = json.loads(Path(sys.argv[1]).read_text())
    links = {name: Link(port, target) for name, (port, target) in told["links"].items()}
    Path(told["control"]).unlink(missing_ok=True)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(links, Path(told["control"])))


if __name__ == "__main__":
    main()
