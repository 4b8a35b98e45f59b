from typing import Any

from django.test import SimpleTestCase

from tests.api.urls import Thing


class ThingTests(SimpleTestCase):
    def validated(self, **more):
        thing = Thing(data={"name": "x", **more})
        self.assertTrue(thing.is_valid(), thing.errors)
        return thing.validated_data

    def test_it_takes_what_clients_send(self):
        self.assertEqual(self.validated(count=3)["count"], 3)
        self.assertEqual(self.validated(count="3")["count"], 3)
        words = (
            (True, True, "True", "yes", "ON", "y", "t", "1", 1),
            (False, "false", "No", "off", "n", "f", "0", 0),
        )
        for sent, meant in [
            (word, meant) for meant, same in zip((True, False), words, strict=True) for word in same
        ]:
            self.assertIs(self.validated(public=sent)["public"], meant)
        self.assertEqual(
            self.validated(labels={"a": "b", "n": 1, "t": True})["labels"], {"a": "b", "n": "1", "t": "True"}
        )
        for empty in ("", None):
            self.assertIsNone(self.validated(keypair=empty)["keypair"])
        self.assertEqual(self.validated(keypair="key")["keypair"], "key")
        self.assertEqual(self.validated(name=" x ")["name"], " x ")
        self.assertNotIn("keypair", self.validated())

    def test_it_refuses_what_merely_resembles_it(self):
        bad: dict[str, list[Any]] = {
            "count": [
                True,
                1.0,
                1.5,
                "1.0",
                "1e0",
                " 1",
                "\uff11",
                "0x1",
                "",
                None,
                [],
                {},
                -1,
                6,
                2**70,
                "9" * 30,
            ],
            "public": [2, -1, 1.0, "01", "yess", " yes", "", None, [], {}, "truethy"],
            "labels": [[], "a", None, {"a": None}, {"a": []}, {"a": {}}, {"a": "x" * 5000}, {"k" * 256: "x"}],
            "keypair": [1, True, [], {}, "x" * 256],
            "name": [1, None, True, [], {}, "", "x" * 11],
            "uuid": ["x"],
            "naem": ["x"],
        }
        bad["labels"].append({str(number): "" for number in range(257)})
        for field, values in bad.items():
            for value in values:
                with self.subTest(field, value=value):
                    thing = Thing(data={"name": "x", field: value})
                    self.assertFalse(thing.is_valid())
                    self.assertIn(field, str(thing.errors))
