"""A real Keystone 30 instead of our own identity: started once for all that is tested with it."""

from __future__ import annotations

from tests.identity.real.base import KeystoneCase
from tests.identity.real.callers import Callers
from tests.identity.real.down import Down
from tests.identity.real.refused import Refused
from tests.identity.real.registering import Registering


class KeystoneTests(Callers, Refused, Down, Registering, KeystoneCase):
    """What becomes of its tokens, of itself when it fails, and of our place in its catalog."""
