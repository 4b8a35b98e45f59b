"""How many statements the small routes cost."""

from __future__ import annotations

import uuid

from django.test import override_settings

from tests import make
from tests.bays.base import Statements
from tests.volumes.base import VolumesCase
from volumes.models import QosSpecs

LOOKUPS = {
    "/types": 1,
    "/types?is_public=none": 1,
    "/qos-specs": 1,
    "/default-types": 1,
    "/os-services": 4,  # nodes that live, nodes that do not, what was said of them, back-ends
    "/os-hosts": 4,
    "/clusters/detail": 4,
    "/scheduler-stats/get_pools?detail=true": 1,
    "/os-availability-zone": 2,
    "/extensions": 0,
    "/backups": 0,
    "/limits": 4,  # the project's row, the defaults, the types, its rows by type
}


@override_settings(TOKEN_CACHE_SECONDS=3600)
class BudgetTests(VolumesCase):
    def cost(self, path):
        headers = self.headers(self.alice)
        self.client.get("/volume/v3/extensions", headers=headers)  # from here on the token is known
        with Statements() as statements:
            answer = self.client.get(f"/volume/v3{path}", headers=headers)
        self.assertEqual(answer.status_code, 200, answer.content)
        return len(statements.work)

    def test_a_page_costs_the_same_whatever_its_length(self):
        before = {path: self.cost(path) for path in LOOKUPS}
        for number in range(20):
            make.volume_type(f"t{number}")
            QosSpecs.objects.create(name=f"q{number}")
            make.pool("fast", f"p{number}")
            make.node(uuid.uuid4(), name=f"node{number}", serves=["fast"])
        after = {path: self.cost(path) for path in LOOKUPS}
        self.assertEqual(after, before)
        for path, lookups in LOOKUPS.items():
            self.assertLessEqual(after[path], lookups + 1, path)
        marker = make.volume_type("t3").pk
        self.assertLessEqual(self.cost(f"/types?limit=5&marker={marker}"), 3)
