"""The real clients, unmodified, against one node."""

from __future__ import annotations

from tests.clients.bays import Bays
from tests.clients.cinder import Cinder
from tests.clients.containers import Containers
from tests.clients.identity import Identity
from tests.clients.operators import Operators
from tests.clients.parts import StoringCase
from tests.clients.sdk import Sdk
from tests.clients.volumes import Volumes


class ClientTests(Bays, Containers, Identity, Volumes, Operators, Cinder, Sdk, StoringCase):
    """What users and operators of each service type and program, and what they are told."""
