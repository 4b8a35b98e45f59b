"""/volume and /volume/v3: what clients read before anything else, and how they pick a microversion."""

from __future__ import annotations

from tests import make
from tests.volumes.base import VolumesCase
from volumes import urls

NEEDED = {"id", "status", "version", "min_version", "updated", "links", "media-types"}


class DiscoveryTests(VolumesCase):
    def test_it_is_for_anybody_whatever_token_they_send(self):
        for path, status in (("/volume", 300), ("/volume/", 300), ("/volume/v3", 200), ("/volume/v3/", 200)):
            for token in ("", "stale"):
                answer = self.client.get(path, headers={"X-Auth-Token": token})
                (version,) = self.ok(answer, status)["versions"]
                self.assertEqual(set(version), NEEDED)
                told = [version[name] for name in ("id", "status", "version", "min_version")]
                self.assertEqual(told, ["v3.0", "CURRENT", "3.71", "3.0"])
                self.assertEqual(version["links"], [{"rel": "self", "href": "http://testserver/volume/v3/"}])

    def test_microversions_are_negotiated_and_told(self):
        for asked, told in (
            (None, "3.0"),
            ("volume 3.27", "3.27"),
            ("volume latest", "3.71"),
            ("block-storage 3.71", "3.71"),
            ("container-infra 1.3, volume 3.50", "3.50"),
        ):
            more = {"OpenStack-API-Version": asked} if asked else {}
            answer = self.ask("GET", "/volumes", version=None, **more)
            self.ok(answer)
            self.assertEqual(answer["OpenStack-API-Version"], f"volume {told}")
            self.assertIn("OpenStack-API-Version", answer["Vary"])
        for asked in ("3.72", "2.0", "4.0", "x", ""):
            self.assertEqual(self.get("/volumes", version=asked or " ").status_code, 406)

    def test_every_route_is_there_with_the_project_and_without(self):
        volume = self.a_volume()
        for path in (
            "/volumes",
            "/volumes/detail/",
            f"/volumes/{volume.pk}",
            "/snapshots/detail",
            "/messages",
        ):
            for project in (self.blue.pk, self.blue.pk.replace("-", "")):
                self.ok(self.get(f"/{project}{path}"))
            self.refused(self.get(f"/{self.red.pk}{path}"), 400, "another project")
            self.refused(self.get(f"/{make.OTHER_PROJECT}{path}"), 404)  # no id at all

    def test_an_empty_id_is_not_there(self):
        for path in ("/volumes/", "/snapshots/", "/messages/"):
            for method in ("GET", "PUT", "DELETE"):
                self.refused(self.ask(method, path, {}), 404)

    def test_a_route_names_no_two_views(self):
        patterns = [pattern.pattern.regex.pattern for pattern in urls.urlpatterns]
        self.assertEqual(len(patterns), len(set(patterns)))
