"""The transcripts of curl in the documents: typed as they stand there, and the answers compared."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path

from deploy.state import ROOT
from tests.clients.base import CLIENTS, PATIENCE, PAUSE
from tests.clients.parts import Part
from tests.clients.transcript import Exchange, Names, Unlike, exchanges

DOCUMENTED = "http://127.0.0.1:8000"  # where `make up` answers


class Documents(Part):
    def test_the_life_of_a_volume_is_as_documented(self):
        self.replay(ROOT / "docs" / "volumes-api.md", "A life")

    def test_the_life_of_a_bay_is_as_documented(self):
        self.replay(ROOT / "docs" / "containers-api.md", "A life")

    def replay(self, document: Path, heading: str) -> None:
        names, prepared = Names(), [f"PATH={CLIENTS.path / 'bin'}:$PATH"]
        for number, exchange in enumerate(exchanges(document, heading), 1):
            if re.match(r"\w+=", exchange.command):
                prepared.append(self.prepared(prepared, names.put(exchange.command)))
                continue
            try:
                self.until_it_answers(exchange, prepared, names)
            except Unlike as error:
                self.fail(f"{document.name}, command {number}, {exchange.command}: {error}\n{self.tail()}")
        self.gone()

    def prepared(self, before: list[str], command: str) -> str:
        """Return what sets a variable, to be said before each command that follows."""
        if "$(" not in command:
            return command.replace(DOCUMENTED, self.url)
        name = command.partition("=")[0]
        return f"{name}={self.bash(before, f'{command}; echo ${name}').strip()}"

    def until_it_answers(self, exchange: Exchange, prepared: list[str], names: Names) -> None:
        """Type the command; one that only looks is typed again until the answer is there."""
        end = time.monotonic() + PATIENCE
        while True:
            said = self.bash(prepared, names.put(exchange.command))
            tried = Names(dict(names.real))
            try:
                self.compare(exchange, said, tried)
            except Unlike:
                looks = not re.search(r"\s-[Xd]\s", exchange.command)
                if not looks or time.monotonic() > end:
                    raise
                time.sleep(PAUSE)
            else:
                names.real = tried.real
                return

    def compare(self, exchange: Exchange, said: str, names: Names) -> None:
        status, body, found = None, said, {}
        if exchange.status is not None:
            head, _, body = said.replace("\r\n", "\n").partition("\n\n")
            first, *lines = head.split("\n")
            status = int(first.split()[1])
            found = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if status != exchange.status:
            raise Unlike(f"{status}, not {exchange.status}: {body}")
        for name, value in exchange.headers.items():
            if name.lower() not in found:
                raise Unlike(f"no header {name}")
            names.match(value, found[name.lower()])
        if exchange.body is not None:
            names.compare(exchange.body, json.loads(body.replace(self.url, DOCUMENTED)))
        elif status == 204 and body:
            raise Unlike(f"{body!r}, where nothing is shown")

    def bash(self, prepared: list[str], command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", "\n".join([*prepared, command])],
            env=self.knows("demo"),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        return done.stdout
