"""POST /volumes/{id}/action and its like: one body, one key, and the key is the action's name.

A table says of each action who may take it, since which version, what its body holds, what it does and how that is
answered; the view only looks it up.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from django.db.models import Model
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from api.dryrun import NotRehearsed
from api.openapi.fields import schema_of
from api.openapi.methods import Body, Does
from api.openapi.schemas import ANYTHING, Schema, maybe, obj
from api.preconditions import Conditional
from api.problems import BadRequest, NotFound
from identity import policy
from volumes.views.base import VolumeView, validated

R = TypeVar("R", bound=Model)
Values = dict[str, Any]
Call = Callable[["ActionView[R]", R, Values], Mapping[str, Any] | None]
Finish = Callable[["ActionView[R]", str, Values], Mapping[str, Any] | None]


@dataclass(frozen=True, slots=True)
class Action(Generic[R]):
    """What one action needs and does.

    `call` is called with the view (its caller, request id and version), the row that was found, and the validated
    body; what it returns is the answer's document. Without a serializer the body may hold anything, and is not read.
    `finish` is called after that was committed, outside any transaction, with the id of the row: it may wait for a
    worker, and what it returns is the answer's document instead. It is called for replays under an Idempotency-Key,
    too: that the caller may take the action, and may see the row, is asked again first.
    `dry_run` says that the action can be tried: others refuse to be.
    """

    rule: str
    call: Call[R]
    takes: type[BaseSerializer[Any]] | None = None
    since: int = 0  # minor version
    status: int = 202
    finish: Finish[R] | None = None
    answers: Schema | None = None  # how the answer's document is described
    dry_run: bool = False


class ActionView(Conditional, VolumeView, Generic[R]):
    """A route whose POST takes the actions of a table. The rule of POST is the least that any of them needs."""

    actions: ClassVar[Mapping[str, Action[Any]]]
    dry_runs = frozenset({"POST"})

    @abstractmethod
    def find(self, ident: str) -> R:
        """Return the row that is acted on.

        :raises NotFound: there is none that the caller may see.
        """

    def above(self, row: R) -> tuple[Model, ...]:  # noqa: ARG002 - for overriding
        """Return what the actions lock before the row."""
        return ()

    def post(self, request: Request, ident: str) -> Response:
        """Take the action that the body names.

        :raises BadRequest: it names none that is offered.
        :raises Forbidden: the caller may not take it.
        :raises PreconditionFailed: the row is not as If-Match says.
        """
        name, body = _named(request.data)
        action: Action[R] | None = self.actions.get(name)
        if action is None:
            raise BadRequest(f"There is no such action: {name[:64]}.")
        if self.is_dry_run and not action.dry_run:
            raise NotRehearsed(f"dry_run is not offered for {name}, so it was not carried out.")
        if not self.at_least(action.since):
            raise NotFound(f"There is no action {name} before version 3.{action.since}.")
        policy.enforce(self.caller, action.rule)
        row = self.find(ident)
        values = {} if action.takes is None else validated(action.takes(data=body))
        with self.holding(row, *self.above(row)):
            document = action.call(self, row, values)
        return Response(document, status=action.status)

    def finish(self, request: Request, response: Response) -> Response:
        """Let the action finish what it has accepted, if the caller may take it and see the row as of now.

        :raises NotFound: it is gone, or is another project's now.
        :raises Forbidden: the caller may not take it any more.
        """
        name, body = _named(request.data)
        action: Action[R] = self.actions[name]
        policy.enforce(self.caller, action.rule)
        if action.finish is not None:
            self.find(str(self.kwargs["ident"]))
            values = {} if action.takes is None else validated(action.takes(data=body))
            response.data = action.finish(self, str(self.kwargs["ident"]), values)
        return response


def described(actions: Mapping[str, Action[Any]]) -> Does:
    """Return how the actions of a table are described: a body has the key of one of them."""
    bodies = []
    for name, action in actions.items():
        inner = ANYTHING if action.takes is None else maybe(schema_of(action.takes()))
        told = {"title": name, "x-openstack": {"action-name": name, "min-ver": f"3.{action.since}"}}
        bodies.append({**obj({name: inner}), **told})
    answers: dict[int, Any] = {}
    for action in actions.values():
        answers.setdefault(action.status, []).append(action.answers)
    told_by = tuple(action.takes for action in actions.values() if action.takes is not None)
    return Does(
        {status: _any(documents) for status, documents in answers.items()},
        takes=Body({"oneOf": bodies}, told_by),
    )


def _any(documents: list[Schema | None]) -> Schema | None:
    """Return the documents that the actions of one status answer with; some may have none."""
    known = [document for document in documents if document is not None]
    return {"anyOf": known} if known else None


def not_offered(why: str, rule: str) -> Action[Any]:
    """Return the action that Cinder has and we have not, with the reason."""

    def refuse(view: ActionView[Any], row: object, values: Values) -> NoReturn:
        del view, row, values
        raise BadRequest(why)

    return Action(rule, refuse)


def _named(body: object) -> tuple[str, Any]:
    """Return the action's name and its own body; null is an empty one.

    :raises BadRequest: the body does not have that form.
    """
    if not isinstance(body, Mapping) or len(body) != 1:
        raise BadRequest("Invalid request body: expected an object with one key, the action's name.")
    ((name, inner),) = body.items()
    return name, {} if inner is None else inner  # what an action takes, its serializer checks
