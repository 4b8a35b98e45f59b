"""The real clients, unmodified, against one node."""

from __future__ import annotations

from tests.clients.bays import Bays
from tests.clients.cinder import Cinder
from tests.clients.containers import Containers
from tests.clients.documents import Documents
from tests.clients.identity import Identity
from tests.clients.old import Old
from tests.clients.operators import Operators
from tests.clients.parts import StoringCase
from tests.clients.sdk_containers import SdkContainers
from tests.clients.volumes import Volumes


class ClientTests(
    Bays, Containers, Old, Documents, Identity, Volumes, Operators, Cinder, SdkContainers, StoringCase
):
    """What users and operators of each service type and program, and what they are told."""
