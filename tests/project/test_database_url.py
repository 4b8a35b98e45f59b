from __future__ import annotations

import os
from unittest.mock import patch

import psycopg2
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import SimpleTestCase, TestCase

from project import env


def parsed(url: str) -> dict[str, object]:
    with patch.dict(os.environ, {"A_DATABASE": url}):
        return dict(env.database("A_DATABASE"))


class DatabaseUrlTests(SimpleTestCase):
    def test_it_takes_one_host(self) -> None:
        found = parsed("postgresql://me:secret@db.example:6432/roadstead?sslmode=require")
        self.assertEqual(
            [found[key] for key in ("HOST", "PORT", "NAME", "USER", "PASSWORD")],
            ["db.example", 6432, "roadstead", "me", "secret"],
        )
        self.assertEqual(found["OPTIONS"], {"sslmode": "require"})

    def test_it_takes_several_hosts_as_libpq_writes_them_and_wants_the_one_that_takes_writes(self) -> None:
        found = parsed("postgresql://me:se%40cret@one:5432,two:5433,three/roadstead")
        self.assertEqual((found["HOST"], found["PORT"]), ("one,two,three", "5432,5433,5432"))
        self.assertEqual((found["USER"], found["PASSWORD"]), ("me", "se@cret"))
        self.assertEqual(found["OPTIONS"], {"target_session_attrs": "read-write"})

    def test_it_takes_addresses_and_another_wish_than_to_write(self) -> None:
        found = parsed("postgres://me@[::1]:5433,[2001:db8::2],10.0.0.1/db?target_session_attrs=any")
        self.assertEqual((found["HOST"], found["PORT"]), ("::1,2001:db8::2,10.0.0.1", "5433,5432,5432"))
        self.assertEqual(found["OPTIONS"], {"target_session_attrs": "any"})

    def test_it_says_what_is_wrong(self) -> None:
        for url in (
            "nonsense",
            "mongodb://x/y",
            "postgresql://me@host:port/db",
            "postgresql://me@a:1,b:x/db",
        ):
            with self.subTest(url), self.assertRaises(ImproperlyConfigured):
                parsed(url)


class SeveralHostsTests(TestCase):
    def test_a_host_that_is_gone_is_passed_over(self) -> None:
        here = connection.get_connection_params()
        both = {**here, "host": f"127.0.0.1,{here['host']}", "port": f"1,{here['port']}"}
        both.pop("cursor_factory", None)
        with psycopg2.connect(**both, target_session_attrs="read-write") as connected:
            self.assertEqual(connected.info.port, int(here["port"]))
