"""The word dry_run: whether a request is only to be tried. What that means is in `api.rehearsing`."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request

from api.problems import BadRequest


class NotRehearsed(BadRequest):
    """A dry run was asked for where there is none. It is the dry run that is refused, not what it was to try."""


WORD: Final = "dry_run"
_YES, _NO = frozenset({"1", "true"}), frozenset({"0", "false"})


def is_asked_for(request: Request) -> bool:
    """Tell whether the request is only to be tried.

    :raises BadRequest: the word is misspelt, said twice, or says neither yes nor no: nothing is done on a guess.
    """
    query = request.query_params
    for name in query:
        if name != WORD and name.lower().replace("-", "").replace("_", "") == "dryrun":
            raise BadRequest(f"{name[:64]} is not known, so the request was not carried out: write {WORD}.")
    said = query.getlist(WORD)
    if not said:
        return False
    word = said[0].strip().lower()
    if len(said) > 1 or word not in _YES | _NO:
        raise BadRequest(f"{WORD} must be 1 or 0, or true or false, and given once.")
    return word in _YES
