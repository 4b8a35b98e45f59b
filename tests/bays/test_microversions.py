"""What each microversion of container-infra brings, as Magnum has it: routes, codes and bodies."""

from __future__ import annotations

from bays.models import Bay
from tests.bays.base import HEADER, BayCase

RESIZED = [{"op": "replace", "path": "/node_count", "value": 3}]


def asked(minor):
    return {HEADER: minor and f"container-infra 1.{minor}"}


class GateTests(BayCase):
    def test_a_resize_is_there_from_1_7_and_the_406_says_so(self):
        bay = self.a_bay()
        before = self.rows()
        for minor in (None, 1, 6):
            answer = self.post(f"/clusters/{bay.pk}/actions/resize", {"node_count": 3}, **asked(minor))
            self.refused(answer, 406, "from 1.7 on")
            (error,) = answer.json()["errors"]
            self.assertEqual((error["min_version"], error["max_version"]), ("1.7", "1.10"))
            self.assertEqual(answer[HEADER], f"container-infra 1.{minor or 1}")
        self.assertEqual(self.rows(), before)
        answer = self.post(f"/clusters/{bay.pk}/actions/resize", {"node_count": 3}, **asked(7))
        self.assertEqual(answer.status_code, 202)

    def test_a_version_too_old_is_no_way_to_learn_what_is_there(self):
        bay = self.a_bay()
        path = f"/clusters/{bay.pk}/actions/resize"
        told = {self.post(path, {}, user=user, **asked(6)).status_code for user in ("bob", "erin", "carol")}
        self.assertEqual(told, {406})

    def test_what_magnum_never_gated_answers_clients_that_name_no_version(self):
        for path, user in (
            ("/stats", "bob"),
            ("/quotas", "alice"),
            (f"/quotas/{self.blue.pk}/Cluster", "bob"),
        ):
            self.assertEqual(self.get(path, user=user, **asked(None)).status_code, 200, path)
        bay = self.a_bay()
        self.assertEqual(self.patch(f"/certificates/{bay.pk}", None, **asked(1)).status_code, 202)


class FirstVersionTests(BayCase):
    """In 1.1 bays answer with the whole bay: 201 and 200. Clusters never did, nor did any later version."""

    def test_a_new_bay_is_shown_whole_and_as_accepted(self):
        body = {"baymodel_id": str(self.a_model().pk), "name": "one"}
        answer = self.post("/bays", body, **asked(1))
        self.assertEqual(answer.status_code, 201, answer.content)
        bay = Bay.objects.get()
        shown = answer.json()
        self.assertEqual((shown["uuid"], shown["status"]), (str(bay.pk), "CREATE_IN_PROGRESS"))
        now = self.get(f"/bays/{bay.pk}").json()
        now["progress"] = {name: now["progress"][name] for name in shown["progress"]}
        self.assertEqual(shown, now)
        self.assertTrue(answer["Location"].endswith(f"/bays/{bay.pk}"))

    def test_a_changed_bay_is_shown_whole(self):
        bay = self.a_bay()
        answer = self.patch(f"/bays/{bay.pk}", RESIZED, **asked(None))
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertEqual((answer.json()["status"], answer.json()["node_count"]), ("UPDATE_IN_PROGRESS", 3))

    def test_elsewhere_it_is_the_uuid_alone(self):
        model = str(self.a_model().pk)
        for collection, key, minor in (
            ("clusters", "cluster_template_id", 1),
            ("clusters", "cluster_template_id", 10),
            ("bays", "baymodel_id", 2),
        ):
            answer = self.post(f"/{collection}", {key: model}, **asked(minor))
            self.assertEqual((answer.status_code, set(answer.json())), (202, {"uuid"}))
            answer = self.patch(f"/{collection}/{self.a_bay().pk}", RESIZED, **asked(minor))
            self.assertEqual((answer.status_code, set(answer.json())), (202, {"uuid"}))
