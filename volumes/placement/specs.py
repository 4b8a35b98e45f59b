"""Extra specs: what a volume type demands of a pool's capabilities, in the words of OpenStack's operators."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

Sign = Callable[[str, list[str]], bool]  # what a pool has, what is demanded of it

_NUMERIC: dict[str, Callable[[float, float], bool]] = {
    "=": operator.ge,  # as in Cinder: at least
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
_TEXTUAL: dict[str, Callable[[str, str], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s<": operator.lt,
    "s<=": operator.le,
    "s>": operator.gt,
    "s>=": operator.ge,
}
SCOPE = "capabilities"


def unmet(specs: Mapping[str, Any], capabilities: Mapping[str, Any]) -> str | None:
    """Return the first spec that the capabilities do not meet, as `key=value`; None if they meet all.

    Keys of another scope than `capabilities:` are for others to read.
    """
    for key, wanted in specs.items():
        scope, colon, name = key.partition(":")
        if colon and scope != SCOPE:
            continue
        if not _meets(_look_up(capabilities, name if colon else key), str(wanted)):
            return f"{key}={wanted}"
    return None


def _look_up(capabilities: Mapping[str, Any], path: str) -> Any:
    found: Any = capabilities
    for part in path.split(":"):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _meets(found: Any, wanted: str) -> bool:
    if isinstance(found, list | tuple):
        return any(_meets(one, wanted) for one in found)
    if found is None:
        return False
    sign, *rest = wanted.split() or [""]
    text = str(found)
    if rest and sign in _SIGNS:
        return _SIGNS[sign](text, rest)
    return text.lower() == wanted.lower() if isinstance(found, bool) else text == wanted


def _compare(sign: Callable[[float, float], bool], found: str, wanted: str) -> bool:
    try:
        return sign(float(found), float(wanted))
    except ValueError:
        return False


def _truth(word: str) -> bool:
    return word.strip().lower() in {"1", "t", "true", "on", "y", "yes"}


def _numeric(test: Callable[[float, float], bool]) -> Sign:
    return lambda text, rest: _compare(test, text, rest[0])


def _textual(test: Callable[[str, str], bool]) -> Sign:
    return lambda text, rest: test(text, rest[0])


_SIGNS: dict[str, Sign] = {
    **{sign: _numeric(test) for sign, test in _NUMERIC.items()},
    **{sign: _textual(test) for sign, test in _TEXTUAL.items()},
    "<is>": lambda text, rest: _truth(text) == _truth(rest[0]),
    "<in>": lambda text, rest: rest[0] in text,
    "<all-in>": lambda text, rest: all(word in text for word in rest),
    "<or>": lambda text, rest: text in [word for word in rest if word != "<or>"],
}
