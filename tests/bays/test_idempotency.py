"""Idempotency-Key on bays: a create or a resize that is sent again is accepted once."""

from __future__ import annotations

from django.test import override_settings

from api.models import IdempotencyKey
from bays.models import Bay, BayModel, Quota
from lifecycle.models import Event, Operation
from tests.bays.base import BayCase

KEY = {"Idempotency-Key": "order 66"}


class KeyTests(BayCase):
    def test_a_bay_is_made_once_in_either_dialect_of_its_own(self):
        body = {"cluster_template_id": str(self.a_model().pk), "name": "one"}
        first, second = (self.post("/clusters", body, **KEY) for _ in range(2))
        self.assertEqual((first.status_code, second.status_code), (202, 202))
        self.assertEqual((second.json(), second["Location"]), (first.json(), first["Location"]))
        self.assertEqual(
            (Bay.objects.count(), Operation.objects.count(), Quota.objects.get().used), (1, 1, 1)
        )
        self.refused(self.post("/bays", {"baymodel_id": body["cluster_template_id"]}, **KEY), 422, "another")
        self.refused(self.post("/clusters", {**body, "name": "two"}, **KEY), 422, "another")

    def test_a_baymodel_is_made_once(self):
        body = {"coe": "demo", "image_id": "image"}
        first, second = (self.post("/clustertemplates", body, **KEY) for _ in range(2))
        self.assertEqual((first.status_code, second.content), (201, first.content))  # its made-up name too
        self.assertEqual(BayModel.objects.count(), 1)

    def test_a_resize_is_accepted_once_and_its_answer_outlives_the_next_one(self):
        bay = self.a_bay()
        path = f"/clusters/{bay.pk}/actions/resize"
        first = self.post(path, {"node_count": 3}, **KEY)
        Bay.objects.filter(pk=bay.pk).update(status="DELETE_IN_PROGRESS")  # so that it would be refused now
        second = self.post(path, {"node_count": 3}, **KEY)
        self.assertEqual((first.status_code, second.status_code), (202, 202))
        self.refused(self.post(path, {"node_count": 3}), 409, "DELETE_IN_PROGRESS")
        self.assertEqual(Operation.objects.filter(resource_id=bay.pk, action="update").count(), 1)
        self.assertEqual(Event.objects.filter(resource_id=bay.pk, event="update").count(), 1)

    @override_settings(BAY_QUOTA=1)
    def test_what_was_refused_can_succeed_later_under_the_same_key(self):
        body = {"cluster_template_id": str(self.a_model().pk)}
        blocking = self.a_bay()
        for _ in range(2):
            self.refused(self.post("/clusters", body, **KEY), 403, "its limit is 1")
        self.assertFalse(IdempotencyKey.objects.exists())
        blocking.delete()
        Quota.release(self.blue.pk)
        self.assertEqual(self.post("/clusters", body, **KEY).status_code, 202)
        self.assertEqual(self.post("/clusters", body, **KEY)["Idempotency-Replayed"], "true")
        self.assertEqual(Quota.objects.get().used, 1)

    def test_the_other_projects_key_is_its_own(self):
        body = {"cluster_template_id": str(self.a_model(public=True).pk)}
        blue, red = (
            self.post("/clusters", body, user=user, **KEY).json()["uuid"] for user in ("bob", "erin")
        )
        self.assertNotEqual(blue, red)
        self.assertEqual(self.post("/clusters", body, user="erin", **KEY).json()["uuid"], red)
