"""Every route of /container-infra."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.bays.signing import csr
from tests.matrix.table import ANYONE, SAME, Row

BASE = "/container-infra"
NEW = {"coe": "demo", "image_id": "i"}
BOUNDS = [{"op": "replace", "path": "/max_node_count", "value": 9}]
PATCH_BAY = [{"op": "replace", "path": "/node_count", "value": 2}]
PATCH_MODEL = [{"op": "replace", "path": "/name", "value": "renamed"}]


def rows() -> Iterator[Row]:
    """Yield the rows of the service."""
    for method, path, *rest in (*ONCE, *_twice("clusters", "clustertemplates", "cluster_template_id")):
        yield Row(method, f"{BASE}{path}", *rest)
    for method, path, *rest in _twice("bays", "baymodels", "baymodel_id"):
        yield Row(method, f"{BASE}{path}", *rest)


def _twice(bays: str, models: str, key: str) -> Iterator[tuple[Any, ...]]:
    """Yield what both dialects have."""
    bay, model = f"/v1/{bays}/{{bay}}", f"/v1/{models}/{{model}}"
    yield ("GET", f"/v1/{bays}", None, "reader", 200, SAME)
    yield ("GET", f"/v1/{bays}/detail", None, "reader", 200, SAME)
    yield ("GET", f"/v1/{bays}?all_projects=true", None, "admin", 200)
    yield ("POST", f"/v1/{bays}", {key: "{model}"}, "member", 202, 400)
    yield ("GET", bay, None, "reader", 200)
    yield ("PATCH", bay, PATCH_BAY, "member", 202)
    yield ("DELETE", bay, None, "member", 204)
    yield ("POST", f"{bay}/actions/resize", {"node_count": 2}, "member", 202)
    yield ("POST", f"{bay}/actions/upgrade", {"cluster_template": "{model}"}, "member", 202)
    yield ("GET", f"/v1/{models}", None, "reader", 200, SAME)
    yield ("GET", f"/v1/{models}?all_projects=true", None, "admin", 200)
    yield ("GET", f"/v1/{models}/detail", None, "reader", 200, SAME)
    yield ("POST", f"/v1/{models}", NEW, "member", 201, SAME)
    yield ("POST", f"/v1/{models}", {**NEW, "public": True}, "admin", 201)
    yield ("GET", model, None, "reader", 200)
    yield ("PATCH", model, PATCH_MODEL, "member", 200)
    yield ("DELETE", f"/v1/{models}/{{unused}}", None, "member", 204)


GROUPS = "/v1/clusters/{bay}/nodegroups"
ONCE: tuple[tuple[Any, ...], ...] = (
    ("GET", "", None, ANYONE, 200, SAME),
    ("GET", "/v1", None, ANYONE, 200, SAME),
    ("GET", "/v1/quotas", None, "admin", 200),
    ("GET", "/v1/quotas?all_tenants=true", None, "admin", 200),
    ("POST", "/v1/quotas", {"project_id": "x"}, "admin", 201),
    ("GET", "/v1/quotas/{project}/Cluster", None, "reader", 200, 403),
    ("PATCH", "/v1/quotas/{project}/Cluster", {"hard_limit": 2}, "admin", 202),
    ("DELETE", "/v1/quotas/{project}/Cluster", None, "admin", 204),
    ("GET", "/v1/stats", None, "reader", 200, SAME),
    ("GET", "/v1/stats?project_id={project}", None, "reader", 200, 403),
    ("GET", "/v1/mservices", None, "admin", 200),
    ("GET", "/v1/federations", None, "reader", 200, SAME),
    ("POST", "/v1/federations", {}, "member", 400, SAME),
    ("GET", "/v1/federations/{bay}", None, "reader", 404),
    ("PATCH", "/v1/federations/{bay}", [], "member", 404),
    ("DELETE", "/v1/federations/{bay}", None, "member", 404),
    ("POST", "/v1/certificates", {"cluster_uuid": "{bay}", "csr": csr()}, "member", 201, 400),
    ("GET", "/v1/certificates/{bay}", None, "reader", 200),
    ("PATCH", "/v1/certificates/{bay}", None, "member", 202),
    ("GET", GROUPS, None, "reader", 200),
    ("POST", GROUPS, {"name": "green"}, "member", 202),
    ("GET", f"{GROUPS}/{{group}}", None, "reader", 200),
    ("PATCH", f"{GROUPS}/{{group}}", BOUNDS, "member", 202),
    ("DELETE", f"{GROUPS}/{{group}}", None, "member", 204),
    ("GET", "/v1/operations", None, "reader", 200, SAME),
    ("GET", "/v1/events", None, "reader", 200, SAME),
    ("GET", "/v1/events?all_projects=true", None, "admin", 200),
    ("GET", "/v1/operations/{bay_operation}", None, "reader", 200),
)
