"""?dry_run=1: what would come of a request, told by carrying it out and taking all of it back.

The very method that a request runs is run, in a transaction that is rolled back: the same guards refuse with the same
words, the same writes are made, and what rings or asks after the commit is never reached. So there is no second
opinion that could drift from the first. Where the work would end in the row's removal, that end is made as well, so
that the quota told is the one after it.

A route says by `dry_runs` which of its methods offer it. All others refuse: a request that was to be tried must never
be carried out because the route does not know the word.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Model
from rest_framework.response import Response

from api import idempotency
from api.dryrun import NotRehearsed
from api.expected import expected_seconds
from api.problems import Problem, status_of, translate
from api.views import ResourceView
from lifecycle import accepted
from lifecycle.accepted import Accepted
from lifecycle.models import Leased

Facts = Mapping[str, Any]


class Rehearsed(ResourceView):
    """A route some of whose methods can be tried."""

    @abstractmethod
    def facts(self, row: Model) -> Facts:
        """Return what is told of a row that would change, in the API's words."""

    @abstractmethod
    def counts(self, changes: Sequence[Accepted]) -> Mapping[str, Facts]:
        """Return the quotas as they are now, each with `limit` and `used`, of the project whose rows would change."""

    @abstractmethod
    def end(self, event: str, row: Leased) -> None:
        """Make what ends with a row's removal, in the running transaction."""

    def rehearse(self, handle: Callable[[], Response]) -> Response:
        """Answer with what would come of the request."""
        with transaction.atomic(durable=True):
            document = self._tried(handle)
            transaction.set_rollback(True)
        return Response({"dry_run": document})

    def _tried(self, handle: Callable[[], Response]) -> dict[str, Any]:
        refusal, answer = None, None
        after: Mapping[str, Facts] = {}
        with accepted.noted() as changes:
            try:
                with transaction.atomic():
                    answer = self._replayed() or handle()
                    connection.check_constraints()  # those that a commit would look at
                    shown = [self._change(change) for change in changes]
                    self._conclude(changes)
                    after = self.counts(changes)
                    transaction.set_rollback(True)
            except NotRehearsed:
                raise
            except (DatabaseError, InterfaceError) as error:
                refusal = _told_by_database(error)
            except Exception as error:
                refusal = translate(error)
                if refusal is None:
                    raise
        before = self.counts(changes)
        principal = accepted.principal(changes)
        done = refusal is None
        return {
            "accepted": done,
            "status": answer.status_code if done and answer is not None else None,
            "replayed": done and answer is not None and idempotency.REPLAYED in answer,
            "refusals": [] if refusal is None else [self._refusal(refusal)],
            "changes": shown if done else [],
            "quota": _both(before, after if done else before),
            "expected_seconds": expected_seconds(principal) if done and principal else None,
        }

    def _replayed(self) -> Response | None:
        """Return what the request's Idempotency-Key has been answered already; the key is not used up by this."""
        key = idempotency.key_of(self.request)
        return None if key is None else idempotency.answered(key, self.request, self._version)

    def _refusal(self, problem: Problem) -> dict[str, Any]:
        return {
            "status": status_of(problem, self.service.type),
            "code": problem.code,
            "message": problem.message,
        }

    def _change(self, change: Accepted) -> dict[str, Any]:
        row = change.now or change.was
        assert row is not None  # noqa: S101 - one of them is there
        was = {} if change.was is None else self.facts(change.was)
        now = {} if change.now is None else self.facts(change.now)
        kind = row.machine.name if isinstance(row, Leased) else row._meta.model_name  # noqa: SLF001
        return {
            "resource_type": kind,
            "resource_id": None if change.was is None else str(row.pk),  # one that is not made has no id
            "resource_name": str(getattr(row, "name", "")) or None,
            "action": change.operation and change.operation.action,
            "fields": {
                name: {"before": was.get(name), "after": now.get(name)}
                for name in dict.fromkeys((*was, *now))
                if was.get(name) != now.get(name)
            },
        }

    def _conclude(self, changes: Sequence[Accepted]) -> None:
        """End the work that removes a row, so that what it gives back is counted."""
        for row in [change.now for change in changes]:
            if isinstance(row, Leased) and (removal := row.machine.removal(row.status)) is not None:
                self.end(removal.event, row)


def _told_by_database(error: DatabaseError | InterfaceError) -> Problem:
    """Return the refusal that an error of the database is.

    :raises DatabaseError: the database does not answer, or it is a fault of ours.
    """
    problem = translate(error)
    if problem is None or problem.status >= 500:  # noqa: PLR2004 - a fault is no answer to a question
        raise error
    return problem


def _both(before: Mapping[str, Facts], after: Mapping[str, Facts]) -> dict[str, Any]:
    """Return each quota with what is used of it before and after."""
    nothing: Facts = {"used": None}  # what only begins to be counted
    return {
        name: {
            "limit": (before.get(name) or after[name])["limit"],
            "used": {"before": before.get(name, nothing)["used"], "after": after.get(name, nothing)["used"]},
        }
        for name in dict.fromkeys((*before, *after))
    }
