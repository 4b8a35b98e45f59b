"""All that holds for bays in their owners' projects, before one Keystone and one Heat: they take long to start."""

from __future__ import annotations

from tests.owners import lending, lost, owned, rounds


class OwnersTests(
    owned.OwnedStack, lending.Lending, lending.Late, lost.Lost, lost.End, rounds.Round, rounds.Strays
):
    """Each test leaves the cloud as it found it."""
