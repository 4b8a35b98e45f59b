"""The prose of the descriptions, and the shape of each service's errors."""

from __future__ import annotations

import http
from typing import TYPE_CHECKING, Any, Final

from api.openapi.schemas import INTEGER, LINKS, TEXT, Schema, array, mapping, obj, optional
from api.versions import BLOCK_STORAGE, CONTAINER_INFRA, HEADER, IDENTITY, Service

if TYPE_CHECKING:
    from api.openapi.operations import Operation
    from api.views import ResourceView

TITLES: Final = {
    IDENTITY: "Identity: tokens, users, projects, roles",
    CONTAINER_INFRA: "Container infrastructure: clusters and bays",
    BLOCK_STORAGE: "Block storage: volumes and snapshots",
}
PATH: Final = {
    "ident": "Its id, or its name where it is found by one.",
    "project": "A project's id.",
    "user": "A user's id.",
    "role": "A role's id or name.",
    "group": "A node group's id or name.",
    "key": "A key.",
    "resource": "What the quota is of: Cluster.",
}
REFUSALS: Final = {
    400: "The request cannot be understood, or asks for something that cannot be.",
    401: "Nobody is known to be calling: the token is missing, or no longer good.",
    403: "The caller may not do this, or the project has no room for it.",
    404: "There is no such thing, or none that the caller may see.",
    406: "The microversion asked for does not exist, or has not this route.",
    409: "The state of things does not allow it now; the message names the state found.",
    410: "What came after the cursor is not kept any more: begin anew.",
    412: "The resource is not what If-Match says it is: read it again.",
    413: "The body is longer than is read; in block storage also: the project has no room for it.",
    415: "The body's media type is not JSON.",
    422: "The Idempotency-Key belongs to another request.",
    429: "Too many requests: Retry-After says when to come again.",
    503: "Something that is needed does not answer; the same request may succeed in a moment.",
}
TELLS_WHEN: Final = (413, 429, 503)
COMMON: Final = """\
A token of Keystone's `POST /v3/auth/tokens` (here below `/identity`, or of a real one) goes into `X-Auth-Token`.
Every answer names its request in `x-openstack-request-id`. What belongs to another project is 404, as what never was.

Unknown attributes of a body are refused where its schema is closed, and passed over where it is open; most routes pass
over parameters that they do not name. What a schema marks `x-openstack: min-ver` is there from that microversion on.
"""
VERSIONED: Final = """
`{header}: {word} {maximum}` picks a microversion, `latest` the newest; without it a request is in {minimum}. Another
one than those below is answered 406.

<details><summary>What each microversion brought</summary>

{history}

</details>
"""
MORE: Final = {
    BLOCK_STORAGE: """
Each path below `/volume/v3` may also be given with the project's id after `v3`, as older clients do.
""",
    CONTAINER_INFRA: """
`clusters` and `bays`, `clustertemplates` and `baymodels` are two names for the same rows.
""",
}
PAGED: Final = """
Lists come in pages: `marker` is the last row that was seen, `limit` the most that are wanted. Any POST takes an
`Idempotency-Key`: sent again with the same one it is carried out once, and answered alike, with
`Idempotency-Replayed: true`. Where an answer has an `ETag`, a change takes it as `If-Match`.
"""


def info(service: Service) -> dict[str, Any]:
    """Return what stands at the head of a description."""
    told = COMMON + MORE.get(service, "") + PAGED
    if service.history:
        history = "\n".join(f"- **{version}** {what}" for version, what in service.history)
        told += VERSIONED.format(
            header=HEADER,
            word=service.word,
            maximum=service.maximum,
            minimum=service.minimum,
            history=history,
        )
    version = str(service.maximum) if service.history else "v3"
    return {"title": f"Roadstead. {TITLES[service]}", "version": version, "description": told}


def summary(view: ResourceView, method: str) -> str:
    """Return what a method does, in the words of its docstring's first line."""
    doc: str = getattr(view, method.lower()).__doc__ or ""
    return doc.strip().partition("\n")[0].rstrip(".")


def needs(operation: Operation) -> str:
    """Return whom the policy lets do it, and since when there is it."""
    role = operation.role
    who = {"anyone": "Needs no token.", "token": "Needs a token of any scope."}.get(
        role, f"Needs the role `{role}`."
    )
    since = operation.view.since
    return who if since is None else f"{who} From {since} on."


def refusal(status: int) -> dict[str, Any]:
    """Return the answer that a request is refused with."""
    told: dict[str, Any] = {
        "description": REFUSALS.get(status, http.HTTPStatus(status).phrase),
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status in TELLS_WHEN:
        told["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "string"}}}
    if status == http.HTTPStatus.PRECONDITION_FAILED:
        told["headers"] = {"ETag": {"description": "What it is now.", "schema": {"type": "string"}}}
    return told


def error_schema(service: Service) -> Schema:
    """Return the schema of the documents that a service tells its errors in."""
    if service is CONTAINER_INFRA:
        error = {
            "status": INTEGER,
            "code": {"type": "string", "examples": ["container-infra.state-conflict"]},
            "title": TEXT,
            "detail": TEXT,
            "links": LINKS,
            "request_id": TEXT,
            "min_version": optional(TEXT, "Of a microversion that does not exist."),
            "max_version": optional(TEXT),
        }
        return obj({"errors": array(obj(error), minItems=1, maxItems=1)})
    if service is BLOCK_STORAGE:
        fault = obj({"code": INTEGER, "message": TEXT, "retryAfter": optional(TEXT)})
        return mapping(fault, minProperties=1, maxProperties=1, examples=[{"itemNotFound": EXAMPLE}])
    return obj({"error": obj({"code": INTEGER, "title": TEXT, "message": TEXT})})


EXAMPLE: Final = {"code": 404, "message": "The volume could not be found."}
