"""The routes of /volume that belong to no project: types, quotas, services, pools and the other small ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.matrix.table import SAME, Row
from volumes.views.absent import ABSENT

BASE = "/volume/v3"
LUKS = {"provider": "luks", "control_location": "front-end"}
SERVICE = {"host": "node1", "binary": "cinder-scheduler"}
BACKEND = {"host": "node1@fast"}


def rows() -> Iterator[Row]:
    """Yield the rows."""
    for method, path, body in ALL:
        yield Row(method, f"{BASE}{path}", body, "reader", 200, SAME)
    for path in ("/types/{private}", "/types/{private}/extra_specs"):
        yield Row("GET", f"{BASE}{path}", None, "reader", 404, admins=200)
    yield Row("GET", f"{BASE}/types/{{public}}/extra_specs/secret", None, "reader", 404, SAME, admins=200)
    for status, routes in ADMINS.items():
        for method, path, body in routes:
            yield Row(method, f"{BASE}{path}", body, "admin", status)
    for path in ("/os-quota-sets/{project}", "/os-quota-sets/{project}/defaults"):
        yield Row("GET", f"{BASE}{path}", None, "reader", 200, 403)
    for path in ABSENT:
        yield Row("GET", f"{BASE}/{path}", None, "reader", 200, SAME)
        yield Row("POST", f"{BASE}/{path}", {}, "member", 400, SAME)
        for method in ("GET", "PUT", "POST", "DELETE"):
            yield Row(method, f"{BASE}/{path}/x", None, "reader", 404)


ALL: tuple[tuple[str, str, Any], ...] = (
    ("GET", "/types", None),
    ("GET", "/types/default", None),
    ("GET", "/types/{public}", None),
    ("GET", "/types/{public}/extra_specs", None),
    ("GET", "/types/{public}/extra_specs/multiattach", None),
    ("GET", "/limits", None),
    ("GET", "/os-availability-zone", None),
    ("GET", "/extensions", None),
    ("GET", "/extensions/os-hosts", None),
    ("GET", "/resource_filters", None),
)
ADMINS: dict[int, tuple[tuple[str, str, Any], ...]] = {
    200: (
        ("POST", "/types", {"volume_type": {"name": "new"}}),
        ("PUT", "/types/{public}", {"volume_type": {"description": "new"}}),
        ("GET", "/types/{private}/os-volume-type-access", None),
        ("POST", "/types/{public}/extra_specs", {"extra_specs": {"a": "1"}}),
        ("PUT", "/types/{public}/extra_specs/a", {"a": "1"}),
        ("GET", "/types/{private}/encryption", None),
        ("GET", "/types/{private}/encryption/provider", None),
        ("POST", "/types/{public}/encryption", {"encryption": LUKS}),
        ("PUT", "/types/{private}/encryption/x", {"encryption": {"key_size": 1}}),
        ("GET", "/default-types", None),
        ("GET", "/default-types/{project}", None),
        ("PUT", "/default-types/{project}", {"default_type": {"volume_type": "public"}}),
        ("GET", "/qos-specs", None),
        ("GET", "/qos-specs/{qos}", None),
        ("POST", "/qos-specs", {"qos_specs": {"name": "new"}}),
        ("PUT", "/qos-specs/{qos}", {"qos_specs": {"a": "1"}}),
        ("GET", "/qos-specs/{qos}/associations", None),
        ("PUT", "/os-quota-sets/{project}", {"quota_set": {"volumes": 1}}),
        ("DELETE", "/os-quota-sets/{project}", None),
        ("GET", "/os-quota-class-sets/default", None),
        ("PUT", "/os-quota-class-sets/default", {"quota_class_set": {"volumes": 1}}),
        ("GET", "/os-services", None),
        ("PUT", "/os-services/enable", SERVICE),
        ("PUT", "/os-services/disable", SERVICE),
        ("PUT", "/os-services/disable-log-reason", {**SERVICE, "disabled_reason": "x"}),
        ("PUT", "/os-services/freeze", BACKEND),
        ("PUT", "/os-services/thaw", BACKEND),
        ("PUT", "/os-services/get-log", {}),
        ("GET", "/os-hosts", None),
        ("GET", "/os-hosts/node1@fast", None),
        ("GET", "/clusters", None),
        ("GET", "/clusters/detail", None),
        ("GET", "/clusters/roadstead@fast", None),
        ("PUT", "/clusters/enable", {"name": "roadstead@fast"}),
        ("PUT", "/clusters/disable", {"name": "roadstead@fast"}),
        ("GET", "/scheduler-stats/get_pools", None),
        ("GET", "/capabilities/node1@fast", None),
    ),
    202: (
        ("DELETE", "/types/{public}", None),
        ("POST", "/types/{private}/action", {"addProjectAccess": {"project": "p"}}),
        ("DELETE", "/types/{public}/extra_specs/secret", None),
        ("DELETE", "/types/{private}/encryption/x", None),
        ("DELETE", "/qos-specs/{qos}", None),
        ("PUT", "/qos-specs/{qos}/delete_keys", {"keys": ["a"]}),
        ("GET", "/qos-specs/{qos}/associate?vol_type_id={public}", None),
        ("GET", "/qos-specs/{qos}/disassociate?vol_type_id={public}", None),
        ("GET", "/qos-specs/{qos}/disassociate_all", None),
        ("POST", "/workers/cleanup", {}),
    ),
    204: (("DELETE", "/default-types/{project}", None),),
    400: (  # not offered
        ("PUT", "/os-services/failover_host", BACKEND),
        ("PUT", "/os-services/failover", BACKEND),
        ("PUT", "/os-services/set-log", {}),
    ),
}
