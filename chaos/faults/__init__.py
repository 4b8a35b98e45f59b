"""Every kind of fault there is, in groups: kill, freeze, broker, postgres, link, heat, storage, clock, messages."""

from __future__ import annotations

from chaos.faults import clocks, clouds, freezes, kills, messages, network, servers, storage
from chaos.faults.base import Kind

KINDS: tuple[Kind, ...] = tuple(
    kind
    for module in (kills, freezes, servers, network, clouds, storage, clocks, messages)
    for kind in module.KINDS
)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(kind.group for kind in KINDS))


def chosen(words: str) -> list[Kind]:
    """Return the kinds that these words mean: `all`, groups or names, with commas between.

    :raises ValueError: a word is neither.
    """
    wanted = [word.strip() for word in words.split(",") if word.strip()]
    names = {kind.name for kind in KINDS}
    if unknown := [word for word in wanted if word not in {"all", *GROUPS, *names}]:
        raise ValueError(
            f"no such faults: {', '.join(unknown)}; there are {', '.join(GROUPS)}, and each by its name"
        )
    return [kind for kind in KINDS if {"all", kind.group, kind.name} & set(wanted)]
