"""JSON patch by Magnum's rules: one object, its attributes, and one level below those that are objects.

What a patch may touch is declared once per resource; what comes back is only what really changes.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from api.parsing import loads
from api.problems import BadRequest

_PATH = re.compile(r"/([a-zA-Z0-9_-]{1,255})(?:/([^/]{1,255}))?", re.ASCII)
_TEXT: Final = r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_PAIR: Final = rf"\s*{_TEXT}\s*:\s*(?:{_TEXT}|-?[0-9.]+|True|False)\s*"
_FLAT_DICT = re.compile(rf"\s*\{{(?:{_PAIR}(?:,{_PAIR})*)?\}}\s*", re.DOTALL)
_MAX_OPERATIONS: Final = 1000
_MAX_TEXT: Final = 65536


@dataclass(frozen=True)
class Patchable:
    """What a patch may do to one kind of resource.

    `changeable` may change; `mandatory` may not be removed; `internal` is the server's own. Every other
    attribute of the document is known but fixed. One that is removed goes back to its default, which is None for
    those that `defaults` does not name.
    """

    changeable: frozenset[str]
    internal: frozenset[str] = frozenset()
    mandatory: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def changes(self, document: dict[str, Any], patch: object) -> dict[str, Any]:
        """Return the attributes that the patch changes, with their new values.

        `document` is the resource as the API shows it, and is left alone. Values are not validated here: give
        them to the resource's serializer.

        :raises BadRequest: the patch is malformed, or does what it may not.
        """
        if not isinstance(patch, list):
            raise BadRequest("A JSON patch is a list of operations.")
        if len(patch) > _MAX_OPERATIONS:
            raise BadRequest(f"The patch has more than {_MAX_OPERATIONS} operations.")
        patched = dict(document)
        for number, item in enumerate(patch):
            self._apply(patched, item, f"Operation {number} of the patch")
        changed = {key: value for key, value in patched.items() if _differs(value, document[key])}
        for attribute in changed.keys() - self.changeable:
            raise BadRequest(f"Cannot change the attribute {attribute}.")
        return changed

    def _apply(self, patched: dict[str, Any], item: object, where: str) -> None:
        """Carry out one operation."""
        op, attribute, key = self._parse(item, where)
        value = item.get("value") if isinstance(item, dict) else None
        if attribute not in patched:
            raise BadRequest(f"{where}: there is no attribute {attribute}, and none can be added.")
        if key is not None:
            patched[attribute] = _below(patched[attribute], op, key, value, where)
        elif op == "remove":
            patched[attribute] = self.defaults.get(attribute)
        elif op == "add" and patched[attribute] not in (None, {}, []):
            raise BadRequest(f"{where}: the attribute {attribute} is already set; use 'replace'.")
        else:
            patched[attribute] = _object(value) if isinstance(patched[attribute], dict) else value

    def _parse(self, item: object, where: str) -> tuple[str, str, str | None]:
        if not isinstance(item, dict):
            raise BadRequest(f"{where} is not an object.")
        op, path = item.get("op"), item.get("path")
        if op not in ("add", "replace", "remove"):
            raise BadRequest(f"{where}: 'op' must be add, replace or remove.")
        if unknown := sorted(item.keys() - {"op", "path", "value"}):
            raise BadRequest(f"{where}: unknown key {unknown[0][:64]}.")
        match = _PATH.fullmatch(path) if isinstance(path, str) else None
        if match is None:
            raise BadRequest(f"{where}: 'path' must be /attribute or /attribute/key.")
        attribute = match[1]
        if op != "remove" and "value" not in item:
            raise BadRequest(f"{where}: add and replace need a value.")
        if attribute in self.internal:
            raise BadRequest(f"{where}: '/{attribute}' is an internal attribute and cannot be updated.")
        if op == "remove" and attribute in self.mandatory and match[2] is None:
            raise BadRequest(f"{where}: '/{attribute}' is a mandatory attribute and cannot be removed.")
        key = match[2]
        return op, attribute, key and key.replace("~1", "/").replace("~0", "~")


def _below(held: object, op: str, key: str, value: object, where: str) -> dict[str, Any]:
    """Return an attribute's object with one key set or removed."""
    if not isinstance(held, dict):
        raise BadRequest(f"{where}: the attribute has no keys below it.")
    if op != "add" and key not in held:
        raise BadRequest(f"{where}: there is no key {key[:64]} to {op}.")
    if op == "remove":
        return {name: kept for name, kept in held.items() if name != key}
    return {**held, key: value}


def _object(value: object) -> object:
    """Return an object that was sent as text (python-magnumclient sends labels as Python spells a dict)."""
    if not isinstance(value, str) or len(value) > _MAX_TEXT:
        return value
    text = value
    if _FLAT_DICT.fullmatch(value):
        with suppress(ValueError, SyntaxError):
            parsed = ast.literal_eval(value.strip())
            if len(parsed) != len(re.findall(_PAIR, value)):
                return value  # a key twice
            text = json.dumps(parsed)
    try:
        parsed = loads(text.encode())  # as strict as the body that brought it
    except BadRequest:
        return value
    return parsed if isinstance(parsed, dict) else value


def _differs(new: object, old: object) -> bool:
    """Tell whether a value changed; true is not 1 here."""
    return type(new) is not type(old) or new != old
