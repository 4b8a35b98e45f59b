"""Keystone's documents, written from our rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings

from api.requests import url_of
from identity.models import DOMAIN, ApplicationCredential, Assignment, Project, Role, User, stable_id

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from rest_framework.request import Request

    from identity.tokens import Checked

UPDATED = "2026-11-20T00:00:00Z"


def version(request: Request) -> dict[str, Any]:
    """Return the description of API v3."""
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": UPDATED,
        "links": [{"rel": "self", "href": url_of(request, "/identity/v3/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


def token(checked: Checked, request: Request) -> dict[str, Any]:
    """Return a token's document, with the catalog unless the query says `nocatalog`."""
    caller = checked.caller
    document: dict[str, Any] = {
        "methods": list(checked.token.methods),
        "user": {
            "id": caller.user_id,
            "name": caller.user_name,
            "domain": DOMAIN,
            "password_expires_at": None,
        },
        "audit_ids": list(checked.token.audit_ids),
        "issued_at": _time(checked.token.issued_at),
        "expires_at": _time(checked.token.expires_at),
    }
    if caller.project_id is not None:
        document["project"] = {"id": caller.project_id, "name": caller.project_name, "domain": DOMAIN}
        document["is_domain"] = False
    if caller.system:
        document["system"] = {"all": True}
    if caller.through is not None:
        document["application_credential"] = {
            "id": caller.through.credential_id,
            "name": caller.through.name,
            "restricted": caller.through.restricted,
        }
    if checked.token.is_scoped:
        document["roles"] = [{"id": Role(name).uid, "name": name} for name in sorted(caller.roles)]
        if "nocatalog" not in request.query_params:
            document["catalog"] = catalog(request)
    return {"token": document}


def catalog(request: Request) -> list[dict[str, Any]]:
    """Return the services of the setting CATALOG, on the host that the client used."""
    return [
        {
            "id": stable_id("service", kind),
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": stable_id("endpoint", f"{kind}/{interface}"),
                    "interface": interface,
                    "region": settings.REGION,
                    "region_id": settings.REGION,
                    "url": url_of(request, url) if url.startswith("/") else url,
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, name, url in settings.CATALOG
    ]


def domain(request: Request) -> dict[str, Any]:
    """Return the document of the only domain."""
    return {
        **DOMAIN,
        "description": "The only domain.",
        "enabled": True,
        "tags": [],
        "options": {},
        "links": _self(request, "domains", DOMAIN["id"]),
    }


def role(row: Role, request: Request) -> dict[str, Any]:
    """Return a role's document."""
    return {
        "id": row.uid,
        "name": row.value,
        "domain_id": None,
        "description": None,
        "options": {},
        "links": _self(request, "roles", row.uid),
    }


def assignment(row: Assignment, as_role: Role, request: Request, *, names: bool) -> dict[str, Any]:
    """Return a role of a user, held or implied by the one held, with names beside ids if asked."""
    user_is: dict[str, Any] = {"id": row.user_id}
    role_is = {"id": as_role.uid}
    where: dict[str, Any] = {"system": {"all": True}}
    if row.project_id is not None:
        where = {"project": {"id": row.project_id}}
    if names:
        user_is |= {"name": row.user.username, "domain": DOMAIN}
        role_is |= {"name": as_role.value}
        if row.project is not None:
            where["project"] |= {"name": row.project.name, "domain": DOMAIN}
    place = "system" if row.project_id is None else f"projects/{row.project_id}"
    path = f"/identity/v3/{place}/users/{row.user_id}/roles/{Role(row.role).uid}"
    return {
        "user": user_is,
        "role": role_is,
        "scope": where,
        "links": {"assignment": url_of(request, path)},
    }


def project(row: Project, request: Request) -> dict[str, Any]:
    """Return a project's document."""
    return {
        "id": row.pk,
        "name": row.name,
        "description": row.description,
        "enabled": row.enabled,
        "domain_id": DOMAIN["id"],
        "parent_id": DOMAIN["id"],
        "is_domain": False,
        "tags": [],
        "options": {},
        "links": _self(request, "projects", row.pk),
    }


def user(row: User, request: Request) -> dict[str, Any]:
    """Return a user's document."""
    return {
        "id": row.pk,
        "name": row.username,
        "email": row.email,
        "description": row.description,
        "default_project_id": row.default_project_id,
        "enabled": row.is_active,
        "domain_id": DOMAIN["id"],
        "password_expires_at": None,
        "options": {},
        "links": _self(request, "users", row.pk),
    }


def credential(row: ApplicationCredential, request: Request) -> dict[str, Any]:
    """Return an application credential's document, without its secret."""
    return {
        "id": row.pk,
        "name": row.name,
        "description": row.description or None,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "system": None,
        "roles": [
            {"id": each.uid, "name": each.value, "domain_id": None, "description": None, "options": {}}
            for each in Role
            if each.value in row.roles
        ],
        "unrestricted": row.unrestricted,
        "expires_at": row.expires_at and row.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%f"),
        "links": _self(request, f"users/{row.user_id}/application_credentials", row.pk),
    }


def whole(word: str, documents: Iterable[dict[str, Any]], request: Request) -> dict[str, Any]:
    """Return a list that is whole, under the word that clients know it by."""
    links = {"self": request.build_absolute_uri(), "previous": None, "next": None}
    return {word: list(documents), "links": links}


def _self(request: Request, kind: str, ident: str) -> dict[str, str]:
    return {"self": url_of(request, f"/identity/v3/{kind}/{ident}")}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
