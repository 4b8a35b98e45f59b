"""What the tests of bad input share."""

from __future__ import annotations

import uuid

from tests import make
from tests.bays.base import BASE, BayCase


class BadInputCase(BayCase):
    """Every route there is; whatever a test asks, no row may have changed when it is over."""

    def setUp(self):
        super().setUp()
        self.model = self.a_model(labels={"a": "1"})
        self.bay = self.a_bay(model=self.model, api_address="https://10.0.0.1:6443")
        group = make.nodegroup(self.bay).pk
        operation = self.bay.operation_id or uuid.uuid4()
        bay, model = self.bay.pk, self.model.pk
        self.lists = (
            "/clusters",
            "/clusters/detail",
            "/bays",
            "/bays/detail",
            "/clustertemplates",
            "/clustertemplates/detail",
            "/baymodels",
            "/baymodels/detail",
            "/operations",
            f"/clusters/{bay}/nodegroups",
        )
        self.takes_body = (
            ("POST", "/clusters"),
            ("POST", "/bays"),
            ("PATCH", f"/clusters/{bay}"),
            ("PATCH", f"/bays/{bay}"),
            ("POST", f"/clusters/{bay}/actions/resize"),
            ("POST", f"/bays/{bay}/actions/resize"),
            ("POST", f"/clusters/{bay}/actions/upgrade"),
            ("POST", f"/bays/{bay}/actions/upgrade"),
            ("POST", f"/clusters/{bay}/nodegroups"),
            ("PATCH", f"/clusters/{bay}/nodegroups/{group}"),
            ("PATCH", f"/clusters/{bay}/nodegroups/default-worker"),
            ("POST", "/clustertemplates"),
            ("POST", "/baymodels"),
            ("PATCH", f"/clustertemplates/{model}"),
            ("PATCH", f"/baymodels/{model}"),
            ("POST", "/certificates"),
            ("POST", "/federations"),
        )
        reads = [("GET", path) for path in self.lists]
        reads += [("GET", path) for _, path in self.takes_body if path.count("/") == 2]
        deletes = [("DELETE", path) for _, path in self.takes_body if path.count("/") == 2]
        singles = ("certificates", "federations")
        reads += [("GET", f"/{name}/{bay}") for name in singles] + [
            ("GET", "/stats"),
            ("GET", "/federations"),
        ]
        deletes += [("DELETE", f"/federations/{bay}"), ("PATCH", f"/federations/{bay}")]
        groups = [f"/clusters/{bay}/nodegroups/{ident}" for ident in (group, "default-worker")]
        reads += [("GET", path) for path in groups]
        deletes += [("DELETE", path) for path in groups]
        self.routes = [*reads, ("GET", f"/operations/{operation}"), *deletes, *self.takes_body]
        self.routes += [("PATCH", f"/certificates/{bay}")]
        self.before = self.rows()

    def headers(self, user, project=None, **more):
        """Return the headers of a request that sees all routes."""
        return super().headers(user, project, **{"OpenStack-API-Version": "container-infra latest", **more})

    def tearDown(self):
        self.assertEqual(self.rows(), self.before)
        super().tearDown()

    def raw(self, method, path, body=b"", content_type="application/json", user="bob", **headers):
        return self.client.generic(
            method,
            BASE + path,
            body,
            content_type=content_type,
            headers=self.headers(getattr(self, user) if user else None, **headers),
        )
