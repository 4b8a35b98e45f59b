"""One method of one route: what its view says of it, and what its classes say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from api import dryrun, idempotency
from api.openapi.documents import DRY_RUN
from api.openapi.methods import Body, Does, Parameter, answer_of, body_of
from api.openapi.schemas import Schema
from api.problems import Problem
from api.versions import HEADER, Service
from api.views import ResourceView

WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
TAKES_BODY: Final = WRITES - {"DELETE"}
ANYONE: Final = "anyone"
ENTITY_TAGS: Final[Schema] = {
    "type": "string",
    "pattern": r'^(\*|(W/)?"[!#-~]{0,256}"(\s*,\s*(W/)?"[!#-~]{0,256}")*)$',
}
KEY: Final[Schema] = {"type": "string", "pattern": r"^[ -~]{1,255}$"}


class NotDescribedError(LookupError):
    """A view says nothing of one of its methods."""


@dataclass(frozen=True)
class Operation:
    """A method of a view, described."""

    view: ResourceView
    method: str

    @cached_property
    def does(self) -> Does:
        """Return what the view says of the method.

        :raises NotDescribedError: it says nothing; how to say it.
        """
        said: Does | None = self.view.described.get(self.method)
        if said is None:
            kind = type(self.view)
            raise NotDescribedError(
                f"{kind.__module__}.{kind.__name__} does not say what its {self.method} takes and answers. Write "
                f'beside its policy: described = {{"{self.method}": Does({{200: DOCUMENT}}, takes=SomeInput, '
                "query=texts(...))} (see api/openapi/methods.py). DOCUMENT is a schema (api/openapi/schemas.py) of "
                "what it answers; it belongs into bays/documents.py, volumes/documents/, identity/documents.py."
            )
        return said

    @cached_property
    def body(self) -> Body | None:
        return body_of(self.does.takes, self.view)

    @cached_property
    def answers(self) -> Mapping[int, Schema | None]:
        """Return the document of each success."""
        told = {status: answer_of(answer, self.view) for status, answer in self.does.answers.items()}
        if self.method == "GET" and self.view.heeds_if_match:
            told[304] = None
        if self.method in self.view.dry_runs:
            usual = told.get(200)
            told[200] = DRY_RUN if usual is None else {"anyOf": [usual, DRY_RUN]}
        return told

    @cached_property
    def role(self) -> str:
        """Return the least role that the policy asks for; `anyone` needs no token."""
        (permission, *_) = self.view.get_permissions()
        return str(permission.needed(self.view, self.method))  # type: ignore[attr-defined] # what settings name

    @property
    def is_open(self) -> bool:
        return self.role == ANYONE

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Return the parameters of the query and the headers that are heeded."""
        service = self.view.service
        told = [*self.does.query, *self.does.headers]
        if self.method in self.view.dry_runs:
            says = "Only say what would come of it."
            told.append(Parameter(dryrun.WORD, {"enum": [0, 1, True, False]}, says))
        if service.history:
            told.append(version_parameter(service))
        if self.method == "POST" and not self.is_open and self.view.heeds_idempotency_key:
            says = "Carry the request out once, however often it is sent."
            told.append(Parameter(idempotency.HEADER, KEY, says, where="header"))
        if self.view.heeds_if_match:
            told.append(Parameter("If-Match", ENTITY_TAGS, "Only if it is as it was seen.", where="header"))
            if self.method == "GET":
                told.append(Parameter("If-None-Match", ENTITY_TAGS, "304 if it is known.", where="header"))
        return told

    def refusals(self, *, addressed: bool) -> list[int]:
        """Return the statuses of refusal; `addressed` is whether the path has parameters."""
        return sorted({*self.does.refuses, *self._usual(addressed=addressed)})

    def _usual(self, *, addressed: bool) -> Iterator[int]:
        yield from (400, 503)
        if not self.is_open:
            yield from (401, 403)
        paged = any(each.name == "marker" for each in self.does.query)
        if self.view.since is not None:
            yield self.view.too_old(self.view.since).status
        if addressed or paged:
            yield 404
        if self.view.service.history:
            yield 406
        if self.view.heeds_if_match:
            yield 412
        if self.method in WRITES:
            yield 409
        if self.method in TAKES_BODY:
            yield from (413, 415)
        if self.method == "POST" and not self.is_open:
            yield 422
        if not self.is_open and 429 in _statuses(Problem):  # noqa: PLR2004 - where rates are limited
            yield 429


def operations(view: ResourceView) -> list[Operation]:
    """Return the operations of a view, in the order of its policy."""
    return [Operation(view, method) for method in view.policy]


def version_parameter(service: Service) -> Parameter:
    """Return the header by which a request picks a microversion."""
    minors = f"({'|'.join(str(version.minor) for version, _ in service.history)})"
    known = rf"{service.maximum.major}\.{minors}"
    schema = {
        "type": "string",
        "pattern": f"^{service.word} (latest|{known})$",
        "examples": [f"{service.word} {service.maximum}"],
    }
    return Parameter(HEADER, schema, f"The microversion; without it {service.minimum}.", where="header")


def _statuses(kind: type[Problem]) -> set[Any]:
    below = (_statuses(each) for each in kind.__subclasses__())
    return set().union({kind.status}, *below)
