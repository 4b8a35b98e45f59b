"""What a proxy says of the client, believed and not believed."""

from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from api.proxies import ProxyMiddleware
from tests.identity.base import DoorCase, password, project

FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "cloud.example",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Prefix": "/east",
    "X-Forwarded-For": "192.0.2.7",
}
behind_proxy = override_settings(
    BEHIND_PROXY=True,
    USE_X_FORWARDED_HOST=True,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    ALLOWED_HOSTS=["cloud.example", "testserver", "[2001:db8::1]"],
    ROOT_URLCONF="project.urls",
)


class ProxyCase(DoorCase):
    def href(self, path="/identity/v3", **headers) -> str:
        answer = self.client.get(path, headers={"Host": "testserver", **headers})
        self.assertEqual(answer.status_code, 200, answer.content)
        return str(answer.json()["version"]["links"][0]["href"])


@behind_proxy
class BelievedTests(ProxyCase):
    def test_links_lead_back_through_the_proxy(self):
        for headers, base in (
            ({}, "http://testserver"),
            (FORWARDED, "https://cloud.example:8443/east"),
            ({**FORWARDED, "X-Forwarded-Port": "443"}, "https://cloud.example/east"),
            ({**FORWARDED, "X-Forwarded-Host": "cloud.example:444"}, "https://cloud.example:444/east"),
            ({"X-Forwarded-Host": "cloud.example"}, "http://cloud.example"),
            ({"Host": "cloud.example", "X-Forwarded-Port": "81"}, "http://cloud.example:81"),
            ({"X-Forwarded-Host": "[2001:db8::1]", "X-Forwarded-Port": "81"}, "http://[2001:db8::1]:81"),
            ({"X-Forwarded-Proto": "https"}, "https://testserver"),
            ({"X-Forwarded-Proto": "HTTPS", "X-Forwarded-Port": "x"}, "https://testserver"),
            ({"X-Forwarded-Prefix": "/a/b/"}, "http://testserver/a/b"),
        ):
            with self.subTest(headers):
                self.assertEqual(self.href(**headers), f"{base}/identity/v3/")

    def test_a_client_that_forwards_something_itself_is_not_believed_for_the_proxy(self):
        lists = {name: f"evil.example, {value}" for name, value in FORWARDED.items()}
        self.assertEqual(self.href(**lists), "https://cloud.example:8443/east/identity/v3/")

    def test_a_prefix_that_is_no_path_is_none(self):
        for prefix in ("//evil.example", "evil", "/a b", "/<script>", "/", "/a//b", "/%2e"):
            with self.subTest(prefix):
                self.assertEqual(
                    self.href(**{"X-Forwarded-Prefix": prefix}), "http://testserver/identity/v3/"
                )

    def test_hosts_are_judged_as_ever(self):
        answer = self.client.get("/identity/v3", headers={"X-Forwarded-Host": "evil.example"})
        self.assertEqual(answer.status_code, 400)

    def test_the_catalog_every_discovery_and_every_next_page_carry_it(self):
        answer = self.login(password(scope=project()), headers=FORWARDED)
        (first, *_), base = answer.json()["token"]["catalog"], "https://cloud.example:8443/east"
        self.assertEqual(first["endpoints"][0]["url"], f"{base}/identity")
        headers = {**FORWARDED, "X-Auth-Token": answer["X-Subject-Token"]}
        for path in ("/volume/", "/volume/v3/", "/container-infra/", "/container-infra/v1"):
            with self.subTest(path):
                self.assertIn(
                    f"{base}{path.rstrip('/')}", self.client.get(path, headers=headers).content.decode()
                )
        listed = self.client.get("/identity/v3/auth/projects?x=1", headers=headers).json()
        self.assertEqual(listed["links"]["self"], f"{base}/identity/v3/auth/projects?x=1")
        page = self.client.get("/volume/v3/types?limit=1", headers=headers).json()
        self.assertTrue(
            all(link["href"].startswith(f"{base}/volume/v3/types?") for link in page["volume_type_links"])
        )

    def test_the_client_is_the_one_that_the_proxy_names_with_or_without_its_port(self):
        tell = ProxyMiddleware(lambda request: HttpResponse(request.META["REMOTE_ADDR"]))
        for told, address in (
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:65535", "192.0.2.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:80", "2001:db8::7"),
            ("198.51.100.1, 192.0.2.7:1", "192.0.2.7"),
            *(
                (unclear, "127.0.0.1")
                for unclear in ("", "unknown", "_a", "192.0.2.7:", "1.2.3", "[x]:1", "[::1", "192.0.2.7:a")
            ),
        ):
            with self.subTest(told):
                request = RequestFactory().get("/", headers={"X-Forwarded-For": told})
                self.assertEqual(tell(request).content.decode(), address)

    def test_people_are_led_to_the_admin_below_the_prefix(self):
        self.assertEqual(
            self.client.get("/", headers={"X-Forwarded-Prefix": "/east"})["Location"], "/east/admin/"
        )
        page = self.client.get("/admin/login/", headers={"X-Forwarded-Prefix": "/east"})
        self.assertContains(page, 'action="/east/admin/login/"')

    def test_one_requests_prefix_is_not_the_nexts(self):
        self.href(**FORWARDED)
        self.assertEqual(self.href(), "http://testserver/identity/v3/")


class NotBelievedTests(ProxyCase):
    def test_forwarded_headers_mean_nothing(self):
        self.assertEqual(self.href(**FORWARDED), "http://testserver/identity/v3/")
        challenge = self.client.get("/identity/v3/users", headers=FORWARDED)["WWW-Authenticate"]
        self.assertEqual(challenge, 'Keystone uri="http://testserver/identity"')
