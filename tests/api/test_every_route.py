"""What every route owes its clients, proved by a walk of the URL table: a new route cannot forget it.

A POST takes an Idempotency-Key. What is shown by itself has an ETag and need not be shown again; what changes it heeds
If-Match, or refuses it. A request that is to be tried is never carried out because a route does not know the word.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.test import override_settings
from django.urls import resolve

from bays.models import Quota as BayQuota
from bays.views.base import BayView
from identity.models import Assignment, Role, User
from lifecycle.models import Operation
from tests import make
from tests.api.walking import CHANGING, a_path_to, methods_of, routes
from tests.bays.base import BASE as BAYS
from tests.bays.base import BayCase
from tests.bays.signing import csr
from tests.identity.base import DoorCase
from tests.matrix.catalog import LUKS
from tests.matrix.test_matrix import PLENTY
from tests.volumes.base import BASE as VOLUMES
from tests.volumes.test_catalog_system import CatalogCase
from volumes.models import Attachment, Message, Transfer
from volumes.views.base import VolumeView
from volumes.views.qos import Association

OTHER = '"' + "0" * 20 + '"'
LATEST = "volume 3.71, container-infra 1.10"
CREATES = "it makes something that nobody can have seen"
SETS = "it sets what holds from now on, whatever held before: a switch, or a sheet of limits"
NEVER = "there is never one"
# Why a route of bays or volumes that changes something does not heed If-Match, by its view.
UNHEEDED: dict[str, str] = {
    **dict.fromkeys(("Bays", "BayModels", "NodeGroups", "Certificates", "Quotas", "Federations"), CREATES),
    **dict.fromkeys(("Volumes", "Snapshots", "Attachments", "Transfers", "OlderTransfers"), CREATES),
    **dict.fromkeys(("Types", "ManyQosSpecs", "Absent"), CREATES),
    **dict.fromkeys(("FederationDetail", "AbsentDetail"), NEVER),
    **dict.fromkeys(("QuotaSet", "QuotaClassSet", "Enable", "Disable", "DisableLogReason"), SETS),
    **dict.fromkeys(("Freeze", "Thaw", "Failover", "FailoverOfClusters", "GetLog", "SetLog"), SETS),
    **dict.fromkeys(("EnableCluster", "DisableCluster", "WorkersCleanup"), SETS),
    "Accept": "who accepts an offer cannot see it; the key says which is meant",
    "OlderAccept": "who accepts an offer cannot see it; the key says which is meant",
}


@override_settings(ROOT_URLCONF="project.urls")
class WalkTests(DoorCase):
    sam: User

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        cls.sam = User.objects.create(username="sam", password=cls.alice.password)
        Assignment.objects.create(user=cls.sam, project=None, role=Role.ADMIN)

    def ask(self, method, path, **headers):
        """Return the answer to an administrator: of the system where identity asks for that."""
        system = path.startswith("/identity")
        told = self.as_user(self.sam if system else self.alice, system=system)
        answer = self.client.generic(
            method,
            path,
            b"{}",
            content_type="application/json",
            headers={**told, "OpenStack-API-Version": LATEST, **headers},
        )
        return answer.status_code, answer.content.decode()

    def test_a_path_leads_to_each_route(self):
        for route, view in routes():
            found: Any = resolve(a_path_to(route), urlconf="project.urls").func
            self.assertIs(found.view_class, view, route)

    def test_what_does_not_offer_a_dry_run_refuses_it(self):
        offered = set()
        for route, view in routes():
            for method in methods_of(view):
                with self.subTest(method, route=route):
                    status, text = self.ask(method, f"{a_path_to(route)}?dry_run=1")
                    if method in view.dry_runs:
                        offered.add((view.__name__, method))
                        self.assertNotIn("dry_run is not offered here", text)
                    else:
                        self.assertEqual(status, 400, text)
                        self.assertIn("dry_run is not offered here", text)
                    self.assertEqual(self.ask(method, f"{a_path_to(route)}?dry_run=perhaps")[0], 400)
        expected = {
            *(("Bays", "POST"), ("BayDetail", "PATCH"), ("BayDetail", "DELETE"), ("Resize", "POST")),
            *(("Upgrade", "POST"), ("NodeGroups", "POST"), ("NodeGroupDetail", "PATCH")),
            *(("NodeGroupDetail", "DELETE"), ("Volumes", "POST"), ("VolumeDetail", "DELETE")),
            *(("Snapshots", "POST"), ("SnapshotDetail", "DELETE")),
            # Their actions each say for themselves: see tests.volumes.test_dry_run.
            *((name, "POST") for name in ("VolumeActions", "SnapshotActions")),
            *((name, "POST") for name in ("AttachmentActions", "TypeActions")),
        }
        self.assertEqual(offered, expected)

    def test_every_post_takes_a_key(self):
        for route, view in routes():
            if "POST" in methods_of(view) and view.__name__ != "Tokens":  # a login has no space for keys yet
                with self.subTest(route=route):
                    status, text = self.ask("POST", a_path_to(route), **{"Idempotency-Key": "x" * 256})
                    self.assertEqual(status, 400, text)
                    # One that tells a secret keeps no answer, and refuses the key.
                    told = "must be" if view.heeds_idempotency_key else "is not heeded"
                    self.assertIn(f"Idempotency-Key {told}", text)

    def test_what_changes_heeds_if_match_or_refuses_it_and_says_why(self):
        unheeded = set()
        for route, view in routes():
            if not issubclass(view, BayView | VolumeView) or view.heeds_if_match:
                continue
            for method in methods_of(view):
                with self.subTest(method, route=route):
                    status, text = self.ask(method, a_path_to(route), **{"If-Match": OTHER})
                    self.assertEqual(status, 400, text)
                    self.assertIn("If-Match is not heeded", text)
                if method in CHANGING:
                    unheeded.add(view.__name__)
        self.assertEqual(unheeded, set(UNHEEDED))


class Proof:
    """Ask each route of one thing for its ETag, and each change of it to heed If-Match."""

    case: Any
    base: str
    tried: set[tuple[str, str]]

    def rows_named(self) -> dict[str, Any]:
        """Return rows of this request's own, by what the paths call them."""
        raise NotImplementedError

    def prove(self, method, path, body=None):
        case: Any = self
        names = case.rows_named()
        raw = json.dumps(body)
        for name, value in names.items():
            raw = raw.replace(f"{{{name}}}", str(value))
        path = path.format(**names)
        full = f"{self.base}{path}"
        self.tried.add((method, _plain(resolve(full.partition("?")[0], urlconf="project.urls").route)))

        def ask(**headers):
            return case.client.generic(
                method,
                full,
                b"" if body is None else raw.encode(),
                content_type="application/json",
                headers=case.as_user(case.alice, **{"OpenStack-API-Version": LATEST, **headers}),
            )

        before = case.rows()
        answer = ask(**{"If-Match": OTHER})
        case.assertEqual(answer.status_code, 412, answer.content)
        case.assertTrue(answer["ETag"])
        case.assertEqual(case.rows(), before)
        if method == "GET" and "ociate" not in path:
            shown = ask()
            case.assertEqual(shown.status_code, 200, shown.content)
            again = ask(**{"If-None-Match": shown["ETag"]})
            case.assertEqual((again.status_code, again.content), (304, b""))
        else:
            known = ask(**{"If-Match": f"{OTHER}, {answer['ETag']}"})
            case.assertNotEqual(known.status_code, 412, known.content)
            awaits_worker = method == "PUT" and path.startswith("/attachments")  # of which there is none here
            case.assertTrue(known.status_code < 500 or awaits_worker, known.content)

    def missed(self, kind) -> set[tuple[str, str]]:
        """Return the methods of conditional routes that were not tried."""
        there = set()
        for route, view in routes():
            if issubclass(view, kind) and view.heeds_if_match:
                methods = ["GET"] if issubclass(view, Association) else methods_of(view)
                there |= {(method, _plain(route)) for method in methods}
        return there - self.tried


def _plain(route: str) -> str:
    """Return a route's regular expression without its anchors, which are told differently by different askers."""
    return route.replace("^", "")


BOUNDS = [{"op": "replace", "path": "/max_node_count", "value": 9}]
COUNT = [{"op": "replace", "path": "/node_count", "value": 2}]
RENAMED = [{"op": "replace", "path": "/name", "value": "renamed"}]


class BayTests(Proof, BayCase):
    base = BAYS
    tried: set[tuple[str, str]] = set()

    def rows_named(self):
        model, unused = self.a_model(), self.a_model()
        bay = self.a_bay(model=model, api_address="https://10.0.0.1:6443")
        limited = BayQuota.objects.update_or_create(pk="limited", defaults={"hard_limit": 1})[0]
        return {
            "bay": bay.pk,
            "model": model.pk,
            "unused": unused.pk,
            "group": make.nodegroup(bay).pk,
            "operation": Operation.objects.get(resource_id=bay.pk).pk,
            "limited": limited.pk,
        }

    def test_every_route_of_one_thing(self):
        self.post("/certificates", {"cluster_uuid": str(self.a_bay().pk), "csr": csr()})
        group = "/clusters/{bay}/nodegroups/{group}"
        for request in (
            ("GET", "/certificates/{bay}"),
            ("PATCH", "/certificates/{bay}"),
            ("GET", "/quotas/{limited}/Cluster"),
            ("PATCH", "/quotas/{limited}/Cluster", {"hard_limit": 2}),
            ("DELETE", "/quotas/{limited}/Cluster"),
            ("GET", "/operations/{operation}"),
            ("GET", group),
            ("PATCH", group, BOUNDS),
            ("DELETE", group),
            *(
                each
                for bays, models in (("clusters", "clustertemplates"), ("bays", "baymodels"))
                for each in (
                    ("GET", f"/{bays}/{{bay}}"),
                    ("PATCH", f"/{bays}/{{bay}}", COUNT),
                    ("DELETE", f"/{bays}/{{bay}}"),
                    ("POST", f"/{bays}/{{bay}}/actions/resize", {"node_count": 2}),
                    ("POST", f"/{bays}/{{bay}}/actions/upgrade", {"cluster_template": "{model}"}),
                    ("GET", f"/{models}/{{model}}"),
                    ("PATCH", f"/{models}/{{model}}", RENAMED),
                    ("DELETE", f"/{models}/{{unused}}"),
                )
            ),
        ):
            with self.subTest(request[:2]):
                self.prove(*request)
        self.assertEqual(self.missed(BayView), set())


@override_settings(VOLUME_QUOTAS=PLENTY, CONNECT_WAIT=0)
class VolumeTests(Proof, CatalogCase):
    base = VOLUMES
    tried: set[tuple[str, str]] = set()

    def rows(self):
        offers = list(Transfer.objects.order_by("pk").values())
        return {**super().rows(), "transfers": offers, "told": list(Message.objects.order_by("pk").values())}

    def rows_named(self):
        snapshot = self.a_snapshot(metadata={"a": "1"})
        volume = self.a_volume(metadata={"a": "1"})
        used = self.a_volume("reserved")
        offered = self.a_volume("awaiting-transfer")
        attachment = Attachment.objects.create(
            volume=used, project_id=self.blue.pk, user_id=self.bob.pk, instance_id="server"
        )
        offer = Transfer.objects.create(volume=offered, project_id=self.blue.pk, salt="s", key_hash="h")
        message = Message.objects.create(
            project_id=self.blue.pk,
            resource_type="VOLUME",
            event_id="x",
            user_message="m",
            guaranteed_until=Now() + timedelta(days=1),
        )
        return {
            **self.names,
            "snapshot": snapshot.pk,
            "volume": volume.pk,
            "attachment": attachment.pk,
            "offer": offer.pk,
            "message": message.pk,
            "operation": Operation.objects.get(resource_id=volume.pk).pk,
        }

    def test_every_route_of_one_thing(self):
        requests: list[tuple[Any, ...]] = [
            ("GET", "/volumes/{volume}"),
            ("PUT", "/volumes/{volume}", {"volume": {"name": "x"}}),
            ("DELETE", "/volumes/{volume}"),
            ("GET", "/volumes/{volume}/encryption"),
            ("POST", "/volumes/{volume}/action", {"os-extend": {"new_size": 2}}),
            ("GET", "/snapshots/{snapshot}"),
            ("PUT", "/snapshots/{snapshot}", {"snapshot": {"name": "x"}}),
            ("DELETE", "/snapshots/{snapshot}"),
            ("POST", "/snapshots/{snapshot}/action", {"os-force_delete": {}}),
            ("GET", "/attachments/{attachment}"),
            ("PUT", "/attachments/{attachment}", {"attachment": {"connector": {"host": "h"}}}),
            ("DELETE", "/attachments/{attachment}"),
            ("POST", "/attachments/{attachment}/action", {"os-complete": {}}),
            ("GET", "/messages/{message}"),
            ("DELETE", "/messages/{message}"),
            ("GET", "/operations/{operation}"),
            ("GET", "/types/{public}"),
            ("PUT", "/types/{public}", {"volume_type": {"description": "new"}}),
            ("POST", "/types/{private}/action", {"addProjectAccess": {"project": "p"}}),
            ("GET", "/types/{public}/extra_specs"),
            ("POST", "/types/{public}/extra_specs", {"extra_specs": {"a": "1"}}),
            ("GET", "/types/{public}/extra_specs/a"),
            ("PUT", "/types/{public}/extra_specs/a", {"a": "2"}),
            ("DELETE", "/types/{public}/extra_specs/a"),
            ("GET", "/types/{private}/encryption"),
            ("GET", "/types/{private}/encryption/provider"),
            ("PUT", "/types/{private}/encryption/x", {"encryption": {"key_size": 1}}),
            ("DELETE", "/types/{private}/encryption/x"),
            ("POST", "/types/{private}/encryption", {"encryption": LUKS}),
            ("GET", "/default-types/{project}"),
            ("PUT", "/default-types/{project}", {"default_type": {"volume_type": "public"}}),
            ("DELETE", "/default-types/{project}"),
            ("GET", "/qos-specs/{qos}"),
            ("PUT", "/qos-specs/{qos}", {"qos_specs": {"b": "1"}}),
            ("PUT", "/qos-specs/{qos}/delete_keys", {"keys": ["b"]}),
            *(
                ("GET", f"/qos-specs/{{qos}}/{verb}?vol_type_id={{public}}")
                for verb in ("associate", "disassociate")
            ),
            ("GET", "/qos-specs/{qos}/disassociate_all"),
            ("DELETE", "/qos-specs/{qos}"),
            ("DELETE", "/types/{public}"),
        ]
        for kind in ("/volumes/{volume}", "/snapshots/{snapshot}"):
            requests += [
                ("GET", f"{kind}/metadata"),
                ("POST", f"{kind}/metadata", {"metadata": {"b": "1"}}),
                ("PUT", f"{kind}/metadata", {"metadata": {"b": "1"}}),
                ("GET", f"{kind}/metadata/a"),
                ("PUT", f"{kind}/metadata/a", {"meta": {"a": "2"}}),
                ("DELETE", f"{kind}/metadata/a"),
            ]
        for kind in ("volume-transfers", "os-volume-transfer"):
            requests += [("GET", f"/{kind}/{{offer}}"), ("DELETE", f"/{kind}/{{offer}}")]
        for request in requests:
            with self.subTest(request[:2]):
                self.prove(*request)
        self.assertEqual(self.missed(VolumeView), set())
