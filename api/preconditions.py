"""ETag, If-Match and If-None-Match: change only what you have seen, fetch only what you have not.

An ETag has two halves, "<revision>-<document>". The revision is of the row, and is what If-Match compares: inside the
guarded write, so that nothing slips in between the comparison and the write. The document is what this caller was
shown in this microversion, with all that other rows add to it, and is what If-None-Match compares besides. So who
writes a row's belongings in another table (metadata, attachments) writes the row's `updated_at` too.

A view is a `Conditional`; it answers by `self.show(row, document)`, and hands `self.expected` to the write: `with
expected.of(row) as guards: requests.change(row, ..., **guards)` for a leased row, `expected.lock(row)` for any other.
Where the write begins with a lock anyhow, it is made within `self.holding(row)`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from django.db import transaction
from django.db.models import Model
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.problems import BadRequest, NotFound, PreconditionFailed
from api.views import ResourceView
from lifecycle.errors import StateConflict
from lifecycle.models import Leased

LEASED: Final = ("status", "operation_id", "updated_at")
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"', re.ASCII)
_LENGTH: Final = 20


def _columns(row: Model) -> tuple[str, ...]:
    """Return the columns that tell one revision of a row from another.

    A leased row is written by requests and outcomes only, which change one of three columns at the least; claims and
    heartbeats change none of them. Of any other row those count that its model names in `revised_by`, or all.
    """
    if isinstance(row, Leased):
        return LEASED
    named: tuple[str, ...] | None = getattr(row, "revised_by", None)
    if named is not None:
        return named
    return tuple(field.attname for field in row._meta.concrete_fields)  # noqa: SLF001 (Django's own public door)


def revision(row: Model) -> str:
    """Return the half of the ETag that If-Match compares."""
    return _digest([str(row.pk), *(getattr(row, column) for column in _columns(row))])


def etag(row: Model, document: object) -> str:
    """Return the ETag of a row as it is shown in this document."""
    return f'"{revision(row)}-{_digest(document)}"'


def _digest(value: Any) -> str:
    return hashlib.sha256(JSONRenderer().render(value)).hexdigest()[:_LENGTH]


class Guards(TypedDict):
    """Arguments of `lifecycle.requests` that make the comparison part of the write."""

    guard: Callable[[Any], None]
    unchanged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """The revisions that a writer expects to find; None where any will do."""

    revisions: frozenset[str] | None = None

    def check(self, row: Model) -> None:
        """Compare. By itself it protects no write: the row must be locked, or `check` part of the write.

        :raises PreconditionFailed: the row is another revision.
        """
        if self.revisions is not None and revision(row) not in self.revisions:
            raise PreconditionFailed(
                "The resource has changed since it was read: read it again.", etag=f'"{revision(row)}"'
            )

    def lock(self, row: Model) -> None:
        """Lock the row until the end of the transaction and compare; without expectations do neither.

        :raises PreconditionFailed: the row is another revision.
        :raises NotFound: it is gone.
        """
        if self.revisions is None:
            return
        locked = type(row)._default_manager.select_for_update().filter(pk=row.pk).first()  # noqa: SLF001
        if locked is None:
            raise NotFound("The resource could not be found.")
        self.check(locked)

    @contextmanager
    def of(self, row: Leased) -> Iterator[Guards]:
        """Compare, and give what makes the comparison part of a request's or change's write.

        Where another write comes first, the writer is told so, and not what state that one led to.

        :raises PreconditionFailed: the row is another revision, now or when it was to be written.
        """
        self.check(row)
        status = row.status
        try:
            yield {"guard": self.check, "unchanged": () if self.revisions is None else LEASED}
        except StateConflict as conflict:
            if self.revisions is None or conflict.found == status:
                raise
            now = type(row)._default_manager.filter(pk=row.pk).first()  # noqa: SLF001
            if now is not None:
                self.check(now)
            raise


ANY: Final = Expected()


class Conditional(ResourceView):
    """A route to one resource: it shows an ETag and heeds If-Match and If-None-Match."""

    heeds_if_match = True

    @property
    def expected(self) -> Expected:
        """Return what If-Match expects; without the header, or with `*`, any revision will do."""
        tags = _tags(self.request, "If-Match")
        if tags is None or tags == ["*"]:
            return ANY
        strong = (tag.strip('"') for tag in tags if not tag.startswith("W/"))
        return Expected(frozenset(tag.partition("-")[0] for tag in strong))

    @contextmanager
    def holding(self, row: Model, *above: Model) -> Iterator[None]:
        """Carry the block out in one transaction with the comparison: the row stays as it was compared until then.

        What is `above` the row is locked first, in the order in which everybody locks. Without expectations nothing is
        locked here, and the block has its own transactions.

        :raises PreconditionFailed: the row is another revision.
        :raises NotFound: it is gone.
        """
        expected = self.expected
        if expected.revisions is None:
            yield
            return
        with transaction.atomic():
            for each in above:
                type(each)._default_manager.select_for_update().filter(pk=each.pk).first()  # noqa: SLF001
            expected.lock(row)
            yield

    def show(self, row: Model, document: object, **kwargs: Any) -> Response:
        """Answer with a document about the row and its ETag: 304 to a reader who has it already.

        :raises PreconditionFailed: a reader's If-Match names another revision.
        """
        headers = {"ETag": etag(row, document)}
        if self.request.method in {"GET", "HEAD"}:
            self.expected.check(row)
            known = _tags(self.request, "If-None-Match") or []
            if "*" in known or headers["ETag"] in (tag.removeprefix("W/") for tag in known):
                return Response(status=304, headers=headers)
        return Response(document, headers=headers, **kwargs)


def _tags(request: Request, header: str) -> list[str] | None:
    """Return the entity tags that a header lists; None without the header.

    :raises BadRequest: it is no list of them.
    """
    value = request.headers.get(header)
    if value is None:
        return None
    tags = [item.strip() for item in value.split(",")]
    if tags != ["*"] and not all(_TAG.fullmatch(tag) for tag in tags):
        raise BadRequest(f'{header} must be * or a list of ETags, each in double quotes, as in "1a2b".')
    return tags
