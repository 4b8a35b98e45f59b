from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from django.core.exceptions import ImproperlyConfigured
from django.test import SimpleTestCase

from project import env

FILE = """\
# a comment
A_TEXT=from=the file
A_FLAG=yes
A_NUMBER=2.5
OS_ENDPOINT=http://heat.example/v1/x
no line of ours
"""


class EnvTests(SimpleTestCase):
    def setUp(self):
        with tempfile.NamedTemporaryFile("w", delete=False) as file:
            file.write(FILE)
        self.addCleanup(os.unlink, file.name)
        self.given = patch.dict(os.environ, {"ROADSTEAD_ENV_FILE": file.name})
        self.given.start()
        self.addCleanup(env._state_file.cache_clear)
        self.addCleanup(self.given.stop)
        env._state_file.cache_clear()

    def read(self, reader: Callable[..., Any], word: str, **options: Any) -> Any:
        with patch.dict(os.environ, {"A_WORD": word}):
            return reader("A_WORD", **options)

    def test_the_process_wins_over_the_file_and_the_file_over_the_default(self):
        self.assertEqual(env.text("A_TEXT", "default"), "from=the file")
        self.assertEqual(env.text("NOT_SET", "default"), "default")
        self.assertEqual((env.flag("A_FLAG", default=False), env.number("A_NUMBER", 1)), (True, 2.5))
        with patch.dict(os.environ, {"A_TEXT": "from the process"}):
            self.assertEqual(env.text("A_TEXT", "default"), "from the process")

    def test_what_is_set_nowhere_says_how_to_set_it(self):
        with self.assertRaisesMessage(ImproperlyConfigured, "NOT_SET is not set. `make up`"):
            env.text("NOT_SET")

    def test_flags(self):
        for word, value in (
            ("1", True),
            ("True", True),
            (" on ", True),
            ("0", False),
            ("NO", False),
            ("", False),
        ):
            self.assertIs(self.read(env.flag, word, default=not value), value)
        with self.assertRaisesMessage(ImproperlyConfigured, "A_WORD='perhaps'"):
            self.read(env.flag, "perhaps", default=True)

    def test_numbers(self):
        for word, value in (("0", 0), ("1.5", 1.5), (" 3 ", 3), ("1e3", 1000)):
            self.assertEqual(self.read(env.number, word, default=7), value)
        for word in ("", "x", "-1", "nan", "inf", "1,5"):
            with self.subTest(word), self.assertRaisesMessage(ImproperlyConfigured, "A_WORD"):
                self.read(env.number, word, default=7)

    def test_rates(self):
        for word, value in (
            ("5,10", (5, 10)),
            ("0.5, 1", (0.5, 1)),
            ("3", (3, 1)),
            ("0", None),
            ("0,5", None),
        ):
            self.assertEqual(self.read(env.rate, word, default="7,7"), value)
        for word in ("", "x", "-1,5", "5,0", "1,2,3", "nan,5", "inf,5", "5,inf", ","):
            with self.subTest(word), self.assertRaisesMessage(ImproperlyConfigured, "A_WORD"):
                self.read(env.rate, word, default="7,7")

    def test_words(self):
        self.assertEqual(self.read(env.words, " a, b ,,c"), ["a", "b", "c"])
        self.assertEqual(env.words("NOT_SET"), [])

    def test_where_heat_is_comes_from_both(self):
        with patch.dict(os.environ, {"OS_AUTH_TYPE": "none"}):
            os.environ.pop("OS_ENDPOINT", None)
            found = env.cloud_variables()
        self.assertEqual((found["OS_ENDPOINT"], found["OS_AUTH_TYPE"]), ("http://heat.example/v1/x", "none"))
        self.assertNotIn("A_TEXT", found)

    def test_a_file_that_is_not_there_is_an_empty_one(self):
        env._state_file.cache_clear()
        with patch.dict(os.environ, {"ROADSTEAD_ENV_FILE": "/nonexistent"}):
            self.assertEqual(env.text("A_TEXT", "default"), "default")
