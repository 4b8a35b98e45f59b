from datetime import UTC, datetime

from django.test import override_settings

from bays.models import BayModel
from identity.models import User
from tests import make
from tests.identity.base import DoorCase

THINGS = "/container-infra/v1/things"
SORTED = "/volume/v3/sorted"


class PageTests(DoorCase):
    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        for number in range(6):
            seen = datetime(2026, 1, 1 + number // 2, tzinfo=UTC) if number < 4 else None
            User.objects.create(username=f"u{number}", last_login=seen)

    def get(self, query):
        return self.client.get(THINGS + query, headers=self.as_user(self.carol))

    def walk(self, query):
        """Return the names on all pages and the number of pages."""
        names, pages, path = [], 0, THINGS + query
        while path:
            page = self.client.get(path, headers=self.as_user(self.carol)).json()
            names += page["names"]
            pages += 1
            path = page["next"]
        return names, pages

    def test_it_shows_each_row_once_whatever_the_order(self):
        everyone = sorted(User.objects.values_list("username", flat=True))
        for key in ("id", "name", "seen"):
            for direction in ("asc", "desc"):
                whole = self.get(f"?sort_key={key}&sort_dir={direction}").json()["names"]
                for limit in (1, 2, 3, 5, 9, 10, 11):
                    with self.subTest(key=key, direction=direction, limit=limit):
                        names, pages = self.walk(f"?sort_key={key}&sort_dir={direction}&limit={limit}")
                        self.assertEqual(names, whole)
                        self.assertEqual(sorted(names), everyone)
                        self.assertEqual(pages, -(-10 // limit))

    def test_it_sorts(self):
        self.assertEqual(self.get("?sort_key=name&limit=2").json()["names"], ["alice", "bob"])
        self.assertEqual(self.get("?sort_key=name&sort_dir=desc&limit=2").json()["names"], ["u5", "u4"])
        self.assertEqual(set(self.get("?sort_key=seen&limit=2").json()["names"]), {"u0", "u1"})
        self.assertEqual(set(self.get("?sort_key=seen&sort_dir=desc&limit=2").json()["names"]), {"u2", "u3"})

    def test_it_gives_an_absolute_next_that_keeps_the_rest_of_the_query(self):
        following = self.get("?limit=3&sort_key=name&colour=red").json()["next"]
        self.assertTrue(following.startswith(f"http://testserver{THINGS}?"))
        for part in ("limit=3", "sort_key=name", "colour=red", "marker="):
            self.assertIn(part, following)

    def test_it_does_not_skip_or_repeat_when_rows_come_and_go(self):
        first = self.get("?sort_key=name&limit=3").json()
        User.objects.create(username="aaron")
        User.objects.filter(username="alice").delete()
        second = self.client.get(first["next"], headers=self.as_user(self.bob)).json()
        self.assertEqual(second["names"], ["dave", "u0", "u1"])

    def test_it_costs_two_statements_wherever_it_begins(self):
        headers = self.as_user(self.carol)
        following = self.client.get(THINGS + "?limit=3", headers=headers).json()["next"]
        with self.assertNumQueries(2):
            self.client.get(following, headers=headers)

    @override_settings(API_PAGE_LIMIT=4)
    def test_it_is_never_longer_than_the_cap(self):
        self.assertEqual(len(self.get("").json()["names"]), 4)
        self.assertEqual(len(self.get("?limit=999999999999").json()["names"]), 4)

    def test_it_refuses_bad_parameters(self):
        for query in (
            "limit=0",
            "limit=-1",
            "limit=x",
            "limit=",
            "limit=1.5",
            "limit=1e3",
            "limit=" + "9" * 50,
            "limit=%00",
            "limit=\u0661",
            "sort_key=password",
            "sort_key=",
            "sort_key=last_login__year",
            "sort_dir=up",
            "sort_dir=",
            "marker=%00",
        ):
            with self.subTest(query):
                self.assertEqual(self.get("?" + query).status_code, 400)
        for query in ("marker=nobody", "marker=" + "x" * 500):
            with self.subTest(query):
                self.assertEqual(self.get("?" + query).status_code, 404)


class SortTests(DoorCase):
    """Lists as Cinder's clients ask for them."""

    @classmethod
    def setUpTestData(cls):
        super().setUpTestData()
        for number in range(7):
            key = None if number % 3 == 0 else f"k{number % 2}"
            make.baymodel(name=f"m{number}", coe=f"c{number // 3}", keypair_id=key)
        when = datetime(2026, 1, 1, tzinfo=UTC)
        BayModel.objects.filter(name__in=["m5", "m6"]).update(created_at=when)

    def get(self, query):
        return self.client.get(f"{SORTED}?{query}", headers=self.as_user(self.carol))

    def names(self, query):
        answer = self.get(query)
        self.assertEqual(answer.status_code, 200, answer.content)
        return answer.json()["models"]

    def walk(self, query):
        names: list[str] = []
        path: str | None = f"{SORTED}?{query}"
        while path:
            page = self.client.get(path, headers=self.as_user(self.carol)).json()
            names += page["models"]
            path = next((link["href"] for link in page["models_links"] if link["rel"] == "next"), None)
        return names

    def test_it_shows_the_newest_first_if_not_told_otherwise(self):
        names = self.names("")
        self.assertEqual(names[:5], ["m4", "m3", "m2", "m1", "m0"])
        newest = BayModel.objects.filter(name__in=["m5", "m6"]).order_by("-pk")
        self.assertEqual(names[5:], [model.name for model in newest])
        self.assertEqual(self.names("sort_dir=asc"), names[::-1])

    def test_it_sorts_by_several_keys_each_in_its_direction(self):
        expected = ["m6", "m3", "m4", "m5", "m0", "m1", "m2"]
        self.assertEqual(self.names("sort=coe,name:asc"), expected)
        self.assertEqual(self.names("sort=coe:desc, name:asc"), expected)
        self.assertEqual(self.names("sort_key=name&sort_dir=asc"), sorted(expected))
        self.assertEqual(self.names("sort_key=name"), sorted(expected)[::-1])
        nameless = self.names("sort=key:asc,name:desc")
        self.assertEqual(nameless, ["m4", "m2", "m5", "m1", "m6", "m3", "m0"])  # no key, no place: last
        self.assertEqual(self.names("sort=key:desc,name:asc")[-3:], ["m0", "m3", "m6"])

    def test_it_shows_each_row_once_whatever_the_order(self):
        orders = [
            "",
            "sort=coe",
            "sort=key,coe:asc",
            "sort=coe:asc,key:desc,name",
            "sort=key:asc,created_at:desc",
        ]
        for order in [
            *orders,
            "sort=id:asc",
            "sort=key:desc",
            "sort=name,name:asc",
            "sort=created_at:asc,key",
        ]:
            whole = self.names(order)
            self.assertEqual(len(set(whole)), 7)
            for limit in (1, 2, 3, 6, 7, 8):
                with self.subTest(order, limit=limit):
                    self.assertEqual(self.walk(f"{order}&limit={limit}"), whole)

    def test_every_full_page_names_a_next_one(self):
        self.assertEqual(len(self.get("limit=7").json()["models_links"]), 1)
        self.assertEqual(self.get("limit=8").json()["models_links"], [])
        self.assertEqual(self.get("limit=0").json(), {"models": [], "models_links": []})

    def test_an_offset_is_counted_from_the_marker_and_once(self):
        order = "sort=name:asc"
        self.assertEqual(self.names(f"{order}&offset=2&limit=2"), ["m2", "m3"])
        marker = BayModel.objects.get(name="m1").pk
        self.assertEqual(self.names(f"{order}&marker={marker}&offset=1&limit=2"), ["m3", "m4"])
        self.assertEqual(self.walk(f"{order}&offset=2&limit=2"), ["m2", "m3", "m4", "m5", "m6"])
        self.assertEqual(self.names("offset=100"), [])

    def test_a_marker_that_a_filter_has_lost_since_still_marks_its_place(self):
        marker = BayModel.objects.get(name="m3").pk
        self.assertEqual(self.names(f"sort=name:asc&without=m3&marker={marker}"), ["m4", "m5", "m6"])

    def test_it_refuses_bad_parameters(self):
        for query in (
            "limit=-1",
            "limit=x",
            "offset=-1",
            "offset=x",
            "offset=2147483648",
            "sort=colour",
            "sort=name:up",
            "sort=",
            "sort=name,",
            "sort=keypair_id",
            "sort=name:asc:desc",
            "sort=name&sort_key=name",
            "sort=name&sort_dir=asc",
            "sort_key=colour",
            "sort_dir=up",
        ):
            with self.subTest(query):
                answer = self.get(query)
                self.assertEqual((answer.status_code, list(answer.json())), (400, ["badRequest"]))
        for marker in ("nobody", "00000000-0000-0000-0000-000000000000"):
            self.assertEqual(self.get(f"marker={marker}").status_code, 404)
