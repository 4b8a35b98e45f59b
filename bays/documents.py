"""How the documents of /container-infra are described: beside what `serializers` and `groups` make them of.

An answer that is not so fails the test that it was given in (`tests/described.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from api.openapi.methods import Body, patch_of
from api.openapi.schemas import (
    ANYTHING,
    BOOLEAN,
    ID,
    INTEGER,
    LINKS,
    MOMENT,
    TEXT,
    Named,
    Schema,
    array,
    extended,
    mapping,
    maybe,
    obj,
    one_of,
    optional,
    paged,
)
from api.operations import EXPECTATIONS, FAILURE
from bays.serializers import CLUSTERS, BayInput, BayModelInput, Dialect, HealthInput
from bays.states import Health, Status

LABELS: Final = mapping(TEXT)
DIFFERENCES: Final = dict.fromkeys(("labels_overridden", "labels_added", "labels_skipped"), LABELS)
AMBIGUOUS: Final = (409,)  # several have the name that was given
WORD: Final = maybe(TEXT)
COUNT: Final = maybe(INTEGER)
MEANWHILE: Final = {"operation": ID, **EXPECTATIONS}
PROGRESS: Final = maybe(
    Named(
        "Progress",
        obj(
            {"nodes_done": COUNT, "nodes": INTEGER}
            | {name: optional(each) for name, each in MEANWHILE.items()}
        ),
    )
)
ACCEPTED: Final = Named("Accepted", obj({"uuid": ID}))
STATUS: Final = one_of(Status.values)
TIMES: Final = {"created_at": maybe(MOMENT), "updated_at": maybe(MOMENT)}
OWNERS: Final = {"project_id": TEXT, "user_id": TEXT}


def summary(words: Dialect) -> Named:
    """Return how a bay is described as lists show it."""
    return Named(
        f"{words.bay.capitalize()}Summary",
        obj(
            {
                "uuid": ID,
                "name": TEXT,
                words.model_id: ID,
                "keypair": WORD,
                "docker_volume_size": COUNT,
                "labels": LABELS,
                "node_count": INTEGER,
                "master_count": INTEGER,
                "flavor_id": WORD,
                "master_flavor_id": WORD,
                words.timeout: INTEGER,
                "status": STATUS,
                "health_status": one_of(Health.values),
                "stack_id": maybe(ID),
                "links": LINKS,
            }
        ),
    )


def detail(words: Dialect) -> Named:
    """Return how a bay is described that is shown by itself."""
    more: dict[str, Schema] = {
        "status_reason": WORD,
        **DIFFERENCES,
        "progress": PROGRESS,
        "failure": FAILURE,
        "health_status_reason": LABELS,
        "discovery_url": WORD,
        "api_address": WORD,
        "node_addresses": array(TEXT),
        "master_addresses": array(TEXT),
        "coe_version": WORD,
        "container_version": WORD,
        "fixed_network": WORD,
        "fixed_subnet": WORD,
        "floating_ip_enabled": BOOLEAN,
        "master_lb_enabled": BOOLEAN,
        **OWNERS,
        **TIMES,
        "faults": optional(mapping(TEXT), "Of a bay that failed."),
    }
    if words == CLUSTERS:
        more["cluster_id"] = maybe(ID)
    return Named(words.bay.capitalize(), extended(summary(words), more))


def baymodel(words: Dialect) -> Named:
    """Return how a baymodel is described."""
    flags = dict.fromkeys(
        ("registry_enabled", "tls_disabled", "public", "hidden", "floating_ip_enabled", "master_lb_enabled"),
        BOOLEAN,
    )
    told = {"name": TEXT, "coe": TEXT, "image_id": TEXT, "server_type": TEXT, "labels": LABELS, **flags}
    numbers = {"docker_volume_size": COUNT, "apiserver_port": COUNT}
    fields = dict.fromkeys(BayModelInput().fields, WORD) | told | numbers
    whole = obj({"uuid": ID, **fields, **OWNERS, **TIMES, "links": LINKS})
    return Named(words.baymodel.capitalize(), whole)


def bays(shown: Callable[[Dialect], Schema]) -> Callable[[Any], Schema]:
    """Return how a page of bays is described."""
    return lambda view: paged(view.words.bays, shown(view.words))


def baymodels(view: Any) -> Schema:
    """Return how a page of baymodels is described."""
    return paged(view.words.baymodels, baymodel(view.words))


def one_baymodel(view: Any) -> Schema:
    return baymodel(view.words)


def one_bay(view: Any) -> Schema:
    return detail(view.words)


def new_bay(view: Any) -> BayInput:
    return BayInput(view.words)


def changed_bay(view: Any) -> Body:
    """Return how a change of a bay is described."""
    del view
    return patch_of(BayInput, HealthInput)


QUOTA: Final = Named(
    "Quota",
    obj({"id": COUNT, "project_id": TEXT, "resource": one_of(["Cluster"]), "hard_limit": INTEGER, **TIMES}),
)
STATS: Final = Named("Stats", obj({"clusters": INTEGER, "nodes": INTEGER}))
CERTIFICATE: Final = Named(
    "Certificate",
    obj(
        {
            "cluster_uuid": ID,
            "bay_uuid": ID,
            "pem": TEXT,
            "csr": WORD,
            "ca_cert_type": TEXT,
            "links": LINKS,
        }
    ),
)
SERVICE: Final = Named(
    "Service",
    obj(
        {
            "id": INTEGER,
            "host": TEXT,
            "binary": TEXT,
            "state": one_of(["up", "down"]),
            "report_count": INTEGER,
            "disabled": BOOLEAN,
            "disabled_reason": WORD,
            "forced_down": BOOLEAN,
            "last_seen_up": maybe(MOMENT),
            **TIMES,
        }
    ),
)
VERSIONS: Final = obj(
    {
        "name": TEXT,
        "description": TEXT,
        "versions": array(
            obj(
                {
                    "id": TEXT,
                    "status": TEXT,
                    "min_version": TEXT,
                    "max_version": TEXT,
                    "links": LINKS,
                }
            )
        ),
    }
)
CONTENTS: Final = {
    **obj({"id": TEXT, "media_types": array(mapping(TEXT)), "links": LINKS}),
    "additionalProperties": array(obj({"rel": TEXT, "href": TEXT})),
}
FEDERATIONS: Final = obj({"federations": array(ANYTHING, maxItems=0)})
