from __future__ import annotations

from django.test import TestCase, override_settings


class UrlTests(TestCase):
    def test_people_are_led_to_the_admin_and_probes_to_the_health(self):
        self.assertRedirects(self.client.get("/"), "/admin/", fetch_redirect_response=False)
        self.assertEqual(self.client.get("/admin/").status_code, 302)
        self.assertContains(self.client.get("/admin/login/"), "Roadstead")
        self.assertEqual(self.client.get("/healthz").json(), {"status": "ok"})

    def test_what_is_not_there_is_told_in_the_shape_of_its_service(self):
        self.assertIn("errors", self.client.get("/container-infra/v1/x/y/z").json())
        self.assertIn("error", self.client.get("/identity/v3/x/y/z").json())
        self.assertEqual(self.client.get("/elsewhere")["Content-Type"].split(";")[0], "text/html")
        for path in ("/container-infra/v1/x/y/z", "/identity/v3/x/y/z", "/elsewhere"):
            answer = self.client.get(path)
            self.assertEqual(answer.status_code, 404)
            self.assertTrue(answer["x-openstack-request-id"])

    def test_another_host_is_refused(self):
        with self.assertLogs("django.security.DisallowedHost"):
            answer = self.client.get("/container-infra/", headers={"Host": "evil.example"})
        self.assertEqual((answer.status_code, "errors" in answer.json()), (400, True))

    @override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=60)
    def test_behind_https_plain_requests_are_sent_there_but_for_probes(self):
        self.assertEqual(self.client.get("/container-infra/").status_code, 301)
        self.assertEqual(self.client.get("/healthz").status_code, 200)
        self.assertIn(
            "max-age=60", self.client.get("/container-infra/", secure=True)["Strict-Transport-Security"]
        )
