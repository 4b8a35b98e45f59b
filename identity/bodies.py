"""Keystone's documents, written from our rows."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings

from identity.models import DOMAIN, Project, User

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
        "links": [{"rel": "self", "href": request.build_absolute_uri("/identity/v3/")}],
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
        document["roles"] = [{"id": _stable_id("role", name), "name": name} for name in sorted(caller.roles)]
        if "nocatalog" not in request.query_params:
            document["catalog"] = catalog(request)
    return {"token": document}


def catalog(request: Request) -> list[dict[str, Any]]:
    """Return the services of the setting CATALOG, on the host that the client used."""
    return [
        {
            "id": _stable_id("service", kind),
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": _stable_id("endpoint", f"{kind}/{interface}"),
                    "interface": interface,
                    "region": settings.REGION,
                    "region_id": settings.REGION,
                    "url": request.build_absolute_uri(url) if url.startswith("/") else url,
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, name, url in settings.CATALOG
    ]


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
        "links": {"self": request.build_absolute_uri(f"/identity/v3/projects/{row.pk}")},
    }


def projects(rows: Iterable[Project], request: Request) -> dict[str, Any]:
    """Return a list of projects."""
    return {"projects": [project(row, request) for row in rows], "links": links(request)}


def user(row: User, request: Request) -> dict[str, Any]:
    """Return a user's document."""
    return {
        "id": row.pk,
        "name": row.username,
        "email": row.email,
        "enabled": row.is_active,
        "domain_id": DOMAIN["id"],
        "password_expires_at": None,
        "options": {},
        "links": {"self": request.build_absolute_uri(f"/identity/v3/users/{row.pk}")},
    }


def links(request: Request) -> dict[str, str | None]:
    """Return the links of a list that is whole."""
    return {"self": request.build_absolute_uri(), "previous": None, "next": None}


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _stable_id(kind: str, name: str) -> str:
    """Return an id that every process and every installation makes alike."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"roadstead/{kind}/{name}").hex
