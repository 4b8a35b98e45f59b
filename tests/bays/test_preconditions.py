"""ETag, If-Match and If-None-Match on bays and baymodels."""

from __future__ import annotations

from bays.models import Bay, BayModel
from tests.bays.base import BayCase

OTHER = '"' + "0" * 20 + '"'
NAMED = [{"op": "replace", "path": "/name", "value": "renamed"}]
RESIZED = [{"op": "replace", "path": "/node_count", "value": 3}]


class ReadTests(BayCase):
    def test_a_reader_who_has_it_already_gets_a_304(self):
        bay, model = self.a_bay(), self.a_model()
        for path in (f"/clusters/{bay.pk}", f"/baymodels/{model.pk}"):
            tag = self.get(path)["ETag"]
            for known in (tag, f'"x", {tag}', f"W/{tag}", "*"):
                answer = self.get(path, **{"If-None-Match": known})
                self.assertEqual((answer.status_code, answer.content, answer["ETag"]), (304, b"", tag))
            self.assertEqual(self.get(path, **{"If-None-Match": OTHER}).status_code, 200)

    def test_an_observation_is_shown_and_fails_no_write(self):
        """Health is written by the synchronizer: a reader must see it, and a writer has not seen less of the bay."""
        bay = self.a_bay()
        path = f"/clusters/{bay.pk}"
        tag = self.get(path)["ETag"]
        Bay.objects.filter(pk=bay.pk).update(health_status="UNHEALTHY")
        self.assertEqual(self.get(path, **{"If-None-Match": tag}).json()["health_status"], "UNHEALTHY")
        self.assertEqual(self.patch(path, RESIZED, **{"If-Match": tag}).status_code, 202)

    def test_the_dialects_are_two_documents_of_one_revision(self):
        bay = self.a_bay()
        cluster, old = self.get(f"/clusters/{bay.pk}")["ETag"], self.get(f"/bays/{bay.pk}")["ETag"]
        self.assertNotEqual(cluster, old)
        self.assertEqual(self.delete(f"/clusters/{bay.pk}", **{"If-Match": old}).status_code, 204)

    def test_a_reader_may_insist_on_a_revision(self):
        bay = self.a_bay()
        path = f"/clusters/{bay.pk}"
        self.assertEqual(self.get(path, **{"If-Match": self.get(path)["ETag"]}).status_code, 200)
        self.refused(self.get(path, **{"If-Match": OTHER}), 412)


class WriteTests(BayCase):
    def writes(self):
        """Yield the method, path and body of each write that heeds If-Match, on a row of its own."""
        for collection, templates in (("clusters", "clustertemplates"), ("bays", "baymodels")):
            yield "PATCH", f"/{collection}/{self.a_bay().pk}", RESIZED
            yield "DELETE", f"/{collection}/{self.a_bay().pk}", None
            yield "POST", f"/{collection}/{self.a_bay().pk}/actions/resize", {"node_count": 3}
            yield "PATCH", f"/{templates}/{self.a_model().pk}", NAMED
            yield "PATCH", f"/{templates}/{self.a_model().pk}", []
            yield "DELETE", f"/{templates}/{self.a_model().pk}", None

    def test_a_write_is_refused_if_its_writer_has_seen_something_else(self):
        for method, path, body in self.writes():
            with self.subTest(method, path=path):
                shown = path.removesuffix("/actions/resize")
                tag, before = self.get(shown)["ETag"], self.rows()
                answer = self.ask(method, path, body, **{"If-Match": OTHER})
                self.refused(answer, 412, "has changed since it was read")
                self.assertEqual(self.rows(), before)
                self.assertEqual(answer["ETag"].strip('"'), tag.strip('"').partition("-")[0])
                self.refused(
                    self.ask(method, path, body, **{"If-Match": f"W/{tag}"}), 412
                )  # weak: no promise
                self.refused(self.ask(method, path, body, **{"If-Match": "x"}), 400, "If-Match")
                known = f"{OTHER}, {answer['ETag']}"
                self.assertLess(self.ask(method, path, body, **{"If-Match": known}).status_code, 300)

    def test_any_revision_will_do_if_the_writer_says_so(self):
        for method, path, body in self.writes():
            with self.subTest(method, path=path):
                self.assertLess(self.ask(method, path, body, **{"If-Match": "*"}).status_code, 300)

    def test_a_write_answers_with_the_etag_for_the_next_one(self):
        path = f"/baymodels/{self.a_model().pk}"
        tag = self.get(path)["ETag"]
        for name in ("two", "three"):
            patch = [{"op": "replace", "path": "/name", "value": name}]
            answer = self.patch(path, patch, **{"If-Match": tag})
            self.assertEqual((answer.status_code, answer["ETag"] == tag), (200, False))
            self.refused(self.patch(path, patch, **{"If-Match": tag}), 412)
            tag = answer["ETag"]
        self.assertEqual(self.get(path)["ETag"], tag)
        self.assertEqual(BayModel.objects.get().name, "three")

    def test_a_state_that_forbids_it_is_told_to_who_has_seen_that_state(self):
        bay = self.a_bay("DELETE_IN_PROGRESS")
        path = f"/clusters/{bay.pk}"
        self.refused(self.delete(path, **{"If-Match": self.get(path)["ETag"]}), 409, "DELETE_IN_PROGRESS")

    def test_where_it_is_not_heeded_it_is_refused(self):
        before = self.rows()
        body = {"cluster_template_id": str(self.a_model().pk)}
        self.refused(self.post("/clusters", body, **{"If-Match": OTHER}), 400, "not heeded")
        self.refused(self.get("/clusters", **{"If-Match": "*"}), 400, "not heeded")
        self.assertEqual(self.rows()["bays"], before["bays"])
