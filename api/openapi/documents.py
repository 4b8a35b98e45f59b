"""Documents that are alike for every service: what a dry run tells."""

from __future__ import annotations

from typing import Final

from api.openapi.schemas import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    TEXT,
    Named,
    array,
    mapping,
    maybe,
    obj,
)

_COUNT: Final = maybe(INTEGER)
EXPECTED_SECONDS: Final = maybe(
    Named("Expected", obj({"median": NUMBER, "p90": NUMBER, "samples": INTEGER, "like": TEXT}))
)
DRY_RUN: Final = Named(
    "DryRun",
    obj(
        {
            "dry_run": obj(
                {
                    "accepted": BOOLEAN,
                    "status": _COUNT,
                    "replayed": BOOLEAN,
                    "refusals": array(obj({"status": INTEGER, "code": TEXT, "message": TEXT})),
                    "changes": array(
                        obj(
                            {
                                "resource_type": TEXT,
                                "resource_id": maybe(TEXT),
                                "resource_name": maybe(TEXT),
                                "action": maybe(TEXT),
                                "fields": mapping(obj({"before": ANYTHING, "after": ANYTHING})),
                            }
                        )
                    ),
                    "quota": mapping(
                        obj({"limit": _COUNT, "used": obj({"before": _COUNT, "after": _COUNT})})
                    ),
                    "expected_seconds": EXPECTED_SECONDS,
                }
            )
        }
    ),
)
