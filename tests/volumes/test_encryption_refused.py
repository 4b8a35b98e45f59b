"""A type that promises encryption is refused where a plain volume would be the answer."""

from __future__ import annotations

from django.test import TestCase

from api.problems import BadRequest
from tests import make
from volumes.actions import volumes
from volumes.actions.volumes import Wish
from volumes.models import Encryption, Volume


class EncryptionTests(TestCase):
    def setUp(self):
        make.pool()
        self.by = make.caller()
        secret = make.volume_type("secret")
        Encryption.objects.create(type=secret, provider="luks")

    def test_no_plain_volume_is_made_of_it(self):
        with self.assertRaisesMessage(BadRequest, "would have to be encrypted"):
            volumes.create(self.by, "", Wish(size=1, type="secret"))
        self.assertFalse(Volume.objects.exists())

    def test_no_volume_becomes_one(self):
        with self.assertRaisesMessage(BadRequest, "would have to be encrypted"):
            volumes.retype(self.by, "", make.volume(), "secret", "never")
