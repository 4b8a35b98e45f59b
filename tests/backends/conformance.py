"""The conformance suite: what a back-end must pass, whatever it stores volumes on.

Subclass it together with `unittest.TestCase` and give it what `tests.backends.storage.BackendCase` asks for;
docs/writing-a-backend.md says how.
"""

from __future__ import annotations

from tests.backends.interrupted import CrashPromises, StalePromises
from tests.backends.promises import (
    CopyPromises,
    CreatePromises,
    ExtendAndDeletePromises,
    FencePromises,
    SnapshotPromises,
)
from tests.backends.reports import ReportPromises
from tests.backends.troubles import TroublePromises


class BackendConformance(
    CreatePromises,
    CopyPromises,
    SnapshotPromises,
    ExtendAndDeletePromises,
    FencePromises,
    ReportPromises,
    TroublePromises,
    CrashPromises,
    StalePromises,
):
    """Every promise of the protocol."""
