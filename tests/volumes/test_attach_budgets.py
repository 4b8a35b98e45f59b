"""How many statements attachments and transfers may cost, counted on committed rows."""

from __future__ import annotations

import uuid

from django.test import override_settings

from tests import make
from tests.volumes.test_budgets import BudgetCase
from volumes.actions import attachments, transfers
from volumes.models import Volume


class AttachBudgets(BudgetCase):
    def by(self):
        return make.caller(project=self.project)

    def reserved(self, **how):
        return attachments.create(self.by(), "", self.a_volume(), instance=str(uuid.uuid4()), **how)

    def test_attaching_step_by_step(self):
        body = {"attachment": {"volume_uuid": str(self.a_volume().pk), "instance_uuid": str(uuid.uuid4())}}
        self.within(7, "POST", "/attachments", body, expected=200)
        way = {"connector": {"host": "h1"}}
        with override_settings(CONNECT_WAIT=0):  # the last statement is the first look at the connection
            asked = {"attachment": {"volume_uuid": str(self.a_volume().pk), **way}}
            self.within(10, "POST", "/attachments", asked, expected=503)
            self.within(10, "PUT", f"/attachments/{self.reserved().pk}", {"attachment": way}, expected=503)
        self.within(9, "DELETE", f"/attachments/{self.reserved().pk}", expected=200)
        self.within(1, "GET", f"/attachments/{self.reserved().pk}", expected=200)

    def test_the_older_steps(self):
        for status, name in (("available", "os-reserve"), ("in-use", "os-begin_detaching")):
            self.within(3, "POST", f"/volumes/{self.a_volume(status).pk}/action", {name: {}})
        attach = {"os-attach": {"instance_uuid": str(uuid.uuid4()), "mountpoint": "/dev/vdb"}}
        self.within(7, "POST", f"/volumes/{self.a_volume().pk}/action", attach)

    def test_transfers(self):
        self.within(10, "POST", "/volume-transfers", {"transfer": {"volume_id": str(self.a_volume().pk)}})
        offer = transfers.create(self.by(), "", self.a_volume())
        key = transfers.key_of(offer)
        self.within(9, "POST", f"/volume-transfers/{offer.pk}/accept", {"accept": {"auth_key": key}})
        offer = transfers.create(self.by(), "", self.a_volume())
        self.within(4, "DELETE", f"/volume-transfers/{offer.pk}")

    def test_a_page_costs_the_same_whatever_its_length(self):
        for _ in range(20):
            self.reserved()
            transfers.create(self.by(), "", self.a_volume())
        for path in ("/attachments", "/attachments/detail", "/volume-transfers", "/volume-transfers/detail"):
            for query in ("limit=1", "limit=20", "sort=id:asc,created_at"):
                self.within(1, "GET", f"{path}?{query}", expected=200)
        marker = Volume.objects.filter(attachments__isnull=False)[0].attachments.get()
        self.within(2, "GET", f"/attachments/detail?marker={marker.pk}", expected=200)
