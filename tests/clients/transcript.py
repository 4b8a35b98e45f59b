"""A document's transcript of curl: its commands, and the answers that it shows, shortened, to compare with real ones.

Ids, ETags and times are others each time. Where one of the document's first stands for a real one, the two are the
same from then on, in commands too; `1b4e28ba-...` is short for the id that begins so. `...` stands for what is not
shown: the rest of a text, an object or a list.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
NAMES = {  # what stands for something that is another each time, and what the real ones look like
    UUID: UUID,
    r"[0-9a-f]{8}-\.\.\.": UUID,
    r"[0-9a-f]{20}-[0-9a-f]{20}": r"[0-9a-f]{20}-[0-9a-f]{20}",
}
VARYING = {
    r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)": r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)",
    r"10\.\d+\.\d+\.\d+": r"10\.\d+\.\d+\.\d+",
    r"\.\.\.": ".*",
}
REST = "..."


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command, and what it answers: with `-i` the status and the headers that matter, and a body."""

    command: str
    status: int | None
    headers: dict[str, str]
    body: Any  # None: nothing is shown


class Unlike(AssertionError):
    """The answer is not what the document says."""


@dataclass
class Names:
    """Which of the document's ids and ETags stands for which real one."""

    real: dict[str, str] = field(default_factory=dict)

    def put(self, text: str) -> str:
        """Return a text of the document with the real names in place of its own."""
        for name in sorted(self.real, key=len, reverse=True):
            text = text.replace(name, self.real[name])
        return text

    def match(self, shown: str, found: str) -> None:
        """Compare a text and learn the names in it.

        :raises Unlike: it is another.
        """
        pattern, names = "", []
        for part in re.split(f"({'|'.join([*NAMES, *VARYING])})", shown):
            kinds = {**NAMES, **VARYING}
            kind = next((kind for kind in kinds if re.fullmatch(kind, part)), None)
            if kind in NAMES:
                names.append(part)
                pattern += f"({kinds[kind]})"
            else:
                pattern += re.escape(part) if kind is None else kinds[kind]
        told = re.fullmatch(pattern, found, re.DOTALL)
        if told is None:
            raise Unlike(f"{found!r}, not {shown!r}")
        for name, real in zip(names, told.groups(), strict=True):
            if self._known(name, real) != real:
                raise Unlike(f"{name} is {real}, and was {self._known(name, real)}")

    def _known(self, name: str, real: str) -> str:
        begin = name.removesuffix(REST)
        whole = next((known for known in self.real if known.startswith(begin)), name)
        self.real[name] = self.real.get(whole, real)
        return self.real[name]

    def compare(self, shown: Any, found: Any, at: str = "") -> None:
        """Compare what JSON says.

        :raises Unlike: with the place.
        """
        if isinstance(shown, str) and isinstance(found, str):
            try:
                self.match(shown, found)
            except Unlike as error:
                raise Unlike(f"{at}: {error}") from None
        elif isinstance(shown, dict) and isinstance(found, dict):
            wanted = set(shown) - {REST}
            if not wanted <= set(found) or (REST not in shown and wanted != set(found)):
                raise Unlike(f"{at}: {sorted(found)}, not {sorted(shown)}")
            for key in wanted:
                self.compare(shown[key], found[key], f"{at}.{key}")
        elif isinstance(shown, list) and isinstance(found, list):
            self._compare_lists(shown, found, at)
        elif shown != found or type(shown) is not type(found):
            raise Unlike(f"{at}: {found!r}, not {shown!r}")

    def _compare_lists(self, shown: list[Any], found: list[Any], at: str) -> None:
        first = [one for one in shown if one != REST]
        if len(found) < len(first) or (first == shown and len(found) != len(first)):
            raise Unlike(f"{at}: {len(found)} of them, not {len(first)}")
        for number, (one, real) in enumerate(zip(first, found, strict=False)):
            self.compare(one, real, f"{at}[{number}]")


def exchanges(document: Path, heading: str) -> list[Exchange]:
    """Read the commands of the section, in their order, with the answers that follow them."""
    section = document.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [_exchange(part) for part in parts if not part.startswith("#")]


def _exchange(text: str) -> Exchange:
    command, answer = re.match(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    command = re.sub(r"\s+# .*$", "", command)
    head, _, body = answer.partition("{") if not answer.startswith("{") else ("", "", answer[1:])
    lines = head.split("\n")
    status = re.match(r"HTTP/1\.1 (\d{3}) ", lines[0])
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    said = json.loads(whole("{" + body)) if body else None
    return Exchange(command.strip(), int(status[1]) if status else None, headers, said)


def whole(shortened: str) -> str:
    """Return JSON that a parser reads, where an object or a list goes on with `...`."""
    written, inside, stack = "", False, []
    for part in re.findall(r"\\.|\.\.\.|.", shortened, re.DOTALL):
        if part == '"':
            inside = not inside
        elif not inside and part in "{[":
            stack.append(part)
        elif not inside and part in "}]":
            stack.pop()
        if not inside and part == REST:
            part = f'"{REST}":1' if stack[-1] == "{" else f'"{REST}"'  # noqa: PLW2901
        written += part
    return written
