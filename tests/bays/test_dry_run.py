"""dry_run on bays: what would come of a request, without anything coming of it."""

from __future__ import annotations

from typing import Any

from django.test import override_settings

from api.models import IdempotencyKey
from bays.models import Bay
from lifecycle.models import Operation
from tests import make
from tests.bays.base import BayCase
from tests.rung import no_bells

OTHER = '"' + "0" * 20 + '"'
WRONG_BODY = {"node_count": "many"}


class DryRunTests(BayCase):
    def tried(self, method, path, body=None, **kwargs) -> dict[str, Any]:
        """Return what a dry run tells, having checked that it wrote nothing and rang nothing."""
        before = self.rows()
        mark = "&" if "?" in path else "?"
        with no_bells(self):
            answer = self.ask(method, f"{path}{mark}dry_run=1", body, **kwargs)
        self.assertEqual(answer.status_code, 200, answer.content)
        self.assertNotIn("Roadstead-Operation", answer)
        self.assertNotIn("Location", answer)
        self.assertEqual(self.rows(), before)
        self.assertFalse(IdempotencyKey.objects.exists())
        document: dict[str, Any] = answer.json()["dry_run"]
        return document

    def a_ready_bay(self, status="CREATE_COMPLETE", **over):
        return self.a_bay(status, **{"api_address": "https://10.0.0.1:6443", "node_count": 2, **over})

    def situations(self):
        """Yield a name, and a request on rows of its own: method, path, body, headers."""
        model, other = self.a_model(), self.a_model(coe="demo", image_id="newer")
        odd = self.a_model(server_type="bm")
        create = {"cluster_template_id": str(model.pk)}
        yield "create", ("POST", "/clusters", create, {})
        yield "create a bay", ("POST", "/bays", {"baymodel_id": str(model.pk)}, {})
        yield "create of nothing", ("POST", "/clusters", {"cluster_template_id": "nope"}, {})
        yield (
            "create what no driver gives",
            ("POST", "/clusters", {**create, "labels": {"boot_seconds": "x"}}, {}),
        )
        yield "create with a wrong body", ("POST", "/clusters", {**create, **WRONG_BODY}, {})
        for status in ("CREATE_COMPLETE", "UPDATE_FAILED", "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"):

            def one(status=status, **over):
                return self.a_ready_bay(status, model=model, **over)

            resize = [{"op": "replace", "path": "/node_count", "value": 5}]
            yield f"patch {status}", ("PATCH", f"/clusters/{one().pk}", resize, {})
            yield f"resize {status}", ("POST", f"/clusters/{one().pk}/actions/resize", {"node_count": 4}, {})
            yield (
                f"upgrade {status}",
                (
                    "POST",
                    f"/clusters/{one().pk}/actions/upgrade",
                    {"cluster_template": str(other.pk)},
                    {},
                ),
            )
            yield f"delete {status}", ("DELETE", f"/clusters/{one().pk}", None, {})
            yield f"group {status}", ("POST", f"/clusters/{one().pk}/nodegroups", {"name": "green"}, {})
        yield "delete again", ("DELETE", f"/clusters/{self.a_ready_bay('DELETE_IN_PROGRESS').pk}", None, {})
        bay = self.a_ready_bay(model=model, max_node_count=3)
        path = f"/clusters/{bay.pk}"
        yield "resize out of bounds", ("POST", f"{path}/actions/resize", {"node_count": 4}, {})
        yield (
            "resize without a node that is not there",
            (
                "POST",
                f"{path}/actions/resize",
                {"node_count": 1, "nodes_to_remove": ["x"]},
                {},
            ),
        )
        yield (
            "upgrade to another kind",
            (
                "POST",
                f"{path}/actions/upgrade",
                {"cluster_template": str(odd.pk)},
                {},
            ),
        )
        yield "upgrade to nothing", ("POST", f"{path}/actions/upgrade", {"cluster_template": "nope"}, {})
        yield "delete what has changed", ("DELETE", path, None, {"If-Match": OTHER})
        yield "another project's", ("DELETE", path, None, {"user": "erin"})
        yield (
            "a group without an address",
            (
                "POST",
                f"/clusters/{self.a_bay(model=model).pk}/nodegroups",
                {"name": "green"},
                {},
            ),
        )
        bay = self.a_ready_bay(model=model)
        group = make.nodegroup(bay, node_count=1, max_node_count=3)
        path, named = f"/clusters/{bay.pk}", {"nodegroup": group.name}
        yield "a group again", ("POST", f"{path}/nodegroups", {"name": group.name}, {})
        yield (
            "resize a group out of bounds",
            ("POST", f"{path}/actions/resize", {"node_count": 9, **named}, {}),
        )
        yield (
            "bounds",
            (
                "PATCH",
                f"{path}/nodegroups/{group.pk}",
                [{"op": "replace", "path": "/max_node_count", "value": 9}],
                {},
            ),
        )
        yield "resize a group", ("POST", f"{path}/actions/resize", {"node_count": 2, **named}, {})
        bay = self.a_ready_bay(model=model)
        yield (
            "delete a group",
            ("DELETE", f"/clusters/{bay.pk}/nodegroups/{make.nodegroup(bay).pk}", None, {}),
        )
        yield "delete a default group", ("DELETE", f"/clusters/{bay.pk}/nodegroups/default-worker", None, {})

    def agree(self, name, method, path, body, headers):
        """Check that what a dry run says is what then happens; return what it said."""
        said = self.tried(method, path, body, **headers)
        answer = self.ask(method, path, body, **headers)
        if answer.status_code < 400:
            self.assertEqual((said["accepted"], said["refusals"]), (True, []), name)
            self.assertEqual(said["status"], answer.status_code)
            self.assertTrue(said["changes"], name)
            self.assertIn("Roadstead-Operation", answer)
        else:
            (error,) = answer.json()["errors"]
            (refusal,) = said["refusals"]
            self.assertEqual((said["accepted"], said["status"], said["changes"]), (False, None, []))
            told = {"status": error["status"], "message": error["detail"], "code": refusal["code"]}
            self.assertEqual(refusal, told)
            self.assertEqual(f"container-infra.{refusal['code']}", error["code"])
        return said

    @override_settings(BAY_QUOTA=1000)
    def test_it_says_what_then_happens(self):
        outcomes = set()
        for name, request in self.situations():
            with self.subTest(name):
                said = self.agree(name, *request)
                outcomes.add(said["status"] or said["refusals"][0]["status"])
        self.assertEqual(outcomes, {202, 204, 400, 404, 409, 412})

    @override_settings(BAY_QUOTA=1)
    def test_the_quota_is_told_before_and_after_and_refuses_as_it_would(self):
        body = {"cluster_template_id": str(self.a_model().pk), "name": "one"}
        said = self.agree("the last one", "POST", "/clusters", body, {})
        self.assertEqual(said["quota"], {"bays": {"limit": 1, "used": {"before": 0, "after": 1}}})
        said = self.agree("one too many", "POST", "/clusters", body, {})
        self.assertEqual(said["quota"], {"bays": {"limit": 1, "used": {"before": 1, "after": 1}}})
        self.assertEqual((said["refusals"][0]["status"], said["refusals"][0]["code"]), (403, "over-quota"))
        said = self.agree("its end gives it back", "DELETE", "/clusters/one", None, {})
        self.assertEqual(said["quota"], {"bays": {"limit": 1, "used": {"before": 1, "after": 0}}})

    def test_what_would_change_is_told_field_by_field(self):
        bay = self.a_ready_bay(name="mine")
        (change,) = self.tried("POST", "/clusters/mine/actions/resize", {"node_count": 4})["changes"]
        expected = {
            "resource_type": "bay",
            "resource_id": str(bay.pk),
            "resource_name": "mine",
            "action": "update",
            "fields": {
                "status": {"before": "CREATE_COMPLETE", "after": "UPDATE_IN_PROGRESS"},
                "node_count": {"before": 2, "after": 4},
            },
        }
        self.assertEqual(change, expected)
        (change,) = self.tried("POST", "/clusters", {"cluster_template_id": str(bay.baymodel_id)})["changes"]
        self.assertEqual((change["resource_id"], change["action"]), (None, "create"))
        self.assertEqual(change["fields"]["node_count"], {"before": None, "after": 1})
        first, second = self.tried("POST", "/clusters/mine/nodegroups", {"name": "green"})["changes"]
        self.assertEqual((first["resource_type"], second["resource_type"]), ("bay", "nodegroup"))
        self.assertEqual(second["fields"]["name"], {"before": None, "after": "green"})

    def test_a_key_is_not_used_up_and_what_it_was_used_for_is_told(self):
        key = {"Idempotency-Key": "order 66"}
        body = {"cluster_template_id": str(self.a_model().pk), "name": "one"}
        self.assertTrue(self.tried("POST", "/clusters", body, **key)["accepted"])
        self.assertEqual(self.post("/clusters", body, **key).status_code, 202)
        before = self.rows()
        said = self.ask("POST", "/clusters?dry_run=true", body, **key).json()["dry_run"]
        self.assertEqual((said["accepted"], said["replayed"], said["changes"]), (True, True, []))
        said = self.ask("POST", "/clusters?dry_run=true", {**body, "name": "two"}, **key).json()["dry_run"]
        self.assertEqual((said["accepted"], said["refusals"][0]["status"]), (False, 422))
        self.assertEqual(self.rows(), before)
        self.assertEqual(self.post("/clusters", body, **key)["Idempotency-Replayed"], "true")

    def test_nothing_is_done_on_a_guess(self):
        bay = self.a_ready_bay()
        for query in (
            "dry_run=maybe",
            "dry_run",
            "dry_run=1&dry_run=0",
            "dry-run=1",
            "dryRun=All",
            "dry_run=2",
        ):
            with self.subTest(query):
                before = self.rows()
                self.refused(self.delete(f"/clusters/{bay.pk}?{query}"), 400, "dry_run")
                self.assertEqual(self.rows(), before)
        health = [{"op": "replace", "path": "/health_status", "value": "UNHEALTHY"}]
        self.refused(self.patch(f"/clusters/{bay.pk}?dry_run=1", health), 400, "not offered")
        self.assertEqual(Bay.objects.get().health_status, "UNKNOWN")
        self.assertEqual(self.delete(f"/clusters/{bay.pk}?dry_run=0").status_code, 204)

    def test_it_needs_the_same_leave_as_the_request(self):
        bay = self.a_ready_bay()
        self.refused(self.delete(f"/clusters/{bay.pk}?dry_run=1", user="carol"), 403)
        self.refused(self.delete(f"/clusters/{bay.pk}?dry_run=1", user=None), 401)
        self.assertEqual(Operation.objects.filter(action="delete").count(), 0)
