from datetime import UTC, datetime

from django.test import override_settings

from identity.models import User
from tests.identity.base import DoorCase

THINGS = "/container-infra/v1/things"


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
