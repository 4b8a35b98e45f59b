"""How Keystone's documents are described: beside what `bodies` makes them of.

An answer that is not so fails the test that it was given in (`tests/described.py`).
"""

from __future__ import annotations

from typing import Final

from api.openapi.methods import Parameter
from api.openapi.schemas import (
    ANYTHING,
    BOOLEAN,
    LINKS,
    NULL,
    OBJECT,
    TEXT,
    URL,
    Named,
    Schema,
    array,
    const,
    extended,
    listed,
    mapping,
    maybe,
    obj,
    one_of,
    optional,
    without,
)

SELF: Final = obj({"self": URL})
DOMAIN_REFERENCE: Final = Named("DomainReference", obj({"id": TEXT, "name": TEXT}))
ALL: Final = obj({"all": const(value=True)})
VERSION: Final = Named(
    "Version",
    obj(
        {
            "id": TEXT,
            "status": TEXT,
            "updated": TEXT,
            "links": LINKS,
            "media-types": array(mapping(TEXT)),
        }
    ),
)
ENDPOINT: Final = Named(
    "Endpoint",
    obj(
        {
            "id": TEXT,
            "interface": one_of(["public", "internal", "admin"]),
            "region": TEXT,
            "region_id": TEXT,
            "url": URL,
        }
    ),
)
SERVICE: Final = Named("Service", obj({"id": TEXT, "type": TEXT, "name": TEXT, "endpoints": array(ENDPOINT)}))
SCOPED: Final = "Of a token with a scope."
TOKEN: Final = Named(
    "Token",
    obj(
        {
            "methods": array(TEXT),
            "user": obj({"id": TEXT, "name": TEXT, "domain": DOMAIN_REFERENCE, "password_expires_at": NULL}),
            "audit_ids": array(TEXT),
            "issued_at": TEXT,
            "expires_at": TEXT,
            "project": optional(obj({"id": TEXT, "name": TEXT, "domain": DOMAIN_REFERENCE})),
            "is_domain": optional(const(value=False)),
            "system": optional(ALL),
            "application_credential": optional(obj({"id": TEXT, "name": TEXT, "restricted": BOOLEAN})),
            "roles": optional(array(obj({"id": TEXT, "name": TEXT})), SCOPED),
            "catalog": optional(array(SERVICE), f"{SCOPED} Left out with `nocatalog`."),
        }
    ),
)
DOMAIN: Final = Named(
    "Domain",
    obj(
        {
            "id": TEXT,
            "name": TEXT,
            "description": TEXT,
            "enabled": BOOLEAN,
            "tags": array(ANYTHING),
            "options": OBJECT,
            "links": SELF,
        }
    ),
)
ROLE: Final = Named(
    "Role",
    obj({"id": TEXT, "name": TEXT, "domain_id": NULL, "description": NULL, "options": OBJECT, "links": SELF}),
)
PROJECT: Final = Named(
    "Project",
    obj(
        {
            "id": TEXT,
            "name": TEXT,
            "description": TEXT,
            "enabled": BOOLEAN,
            "domain_id": TEXT,
            "parent_id": TEXT,
            "is_domain": BOOLEAN,
            "tags": array(ANYTHING),
            "options": OBJECT,
            "links": SELF,
        }
    ),
)
USER: Final = Named(
    "User",
    obj(
        {
            "id": TEXT,
            "name": TEXT,
            "email": TEXT,
            "description": TEXT,
            "default_project_id": maybe(TEXT),
            "enabled": BOOLEAN,
            "domain_id": TEXT,
            "password_expires_at": NULL,
            "options": OBJECT,
            "links": SELF,
        }
    ),
)
CREDENTIAL: Final = Named(
    "ApplicationCredential",
    obj(
        {
            "id": TEXT,
            "name": TEXT,
            "description": maybe(TEXT),
            "user_id": TEXT,
            "project_id": TEXT,
            "system": NULL,
            "roles": array(without(ROLE, "links")),
            "unrestricted": BOOLEAN,
            "expires_at": maybe(TEXT),
            "links": SELF,
        }
    ),
)
NEW_CREDENTIAL: Final = Named("NewApplicationCredential", extended(CREDENTIAL, {"secret": TEXT}))
NAME: Final = optional(TEXT, "With `include_names`.")
DOMAIN_OF_NAME: Final = optional(DOMAIN_REFERENCE)
ASSIGNMENT: Final = Named(
    "RoleAssignment",
    obj(
        {
            "user": obj({"id": TEXT, "name": NAME, "domain": DOMAIN_OF_NAME}),
            "role": obj({"id": TEXT, "name": NAME}),
            "scope": obj(
                {
                    "project": optional(obj({"id": TEXT, "name": NAME, "domain": DOMAIN_OF_NAME})),
                    "system": optional(ALL),
                }
            ),
            "links": obj({"assignment": URL}),
        }
    ),
)
SUBJECT: Final = Parameter(
    "X-Subject-Token", TEXT, "The token that is asked about.", required=True, where="header"
)


def whole(word: str, item: Schema) -> Schema:
    """Return how a list that is whole is described, under the word that clients know it by."""
    return listed(word, item, links=obj({"self": URL, "previous": NULL, "next": NULL}))


def one(word: str, item: Schema) -> Schema:
    return obj({word: item})
