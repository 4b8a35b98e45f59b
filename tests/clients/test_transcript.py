"""What compares the documents' transcripts with real answers sees each way in which one may be wrong."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from django.test import SimpleTestCase

from tests.clients.transcript import Names, Unlike, exchanges, whole

ID, OTHER = "f7c9aec9-4bcb-4d23-897f-f2159ff3d4d9", "a2d504e1-67cf-4db4-b074-167a482a587c"
REAL, ELSE = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-9999-000000000000"
DOCUMENT = f"""# A page

## A life

```sh
$ V=http://127.0.0.1:8000/v3
$ # why
$ curl -i $V/things \\
    -d '{{"size":1}}'      # a word on it
HTTP/1.1 202 Accepted
ETag: "x"
{{"thing":{{"id":"{ID}",...}},
"more":[1,...]}}

$ curl -X DELETE $V/things/f7c9aec9-...
```

## Another
"""


class TranscriptTests(SimpleTestCase):
    def test_commands_and_answers_are_read(self):
        with tempfile.TemporaryDirectory() as home:
            page = Path(home) / "page.md"
            page.write_text(DOCUMENT)
            setting, made, deleted = exchanges(page, "A life")
        self.assertEqual((setting.command, setting.status), ("V=http://127.0.0.1:8000/v3", None))
        self.assertEqual(made.command, "curl -i $V/things \\\n    -d '{\"size\":1}'")
        self.assertEqual((made.status, made.headers), (202, {"ETag": '"x"'}))
        self.assertEqual(made.body, {"thing": {"id": ID, "...": 1}, "more": [1, "..."]})
        self.assertEqual((deleted.status, deleted.body), (None, None))

    def test_what_is_shortened_is_read_as_json(self):
        self.assertEqual(json.loads(whole('{"a":"b...","c":{...},"d":[...]}')), {
            "a": "b...", "c": {"...": 1}, "d": ["..."],
        })  # fmt: skip

    def test_an_id_stands_for_one_real_one_everywhere(self):
        names = Names()
        names.compare({"id": ID, "of": OTHER}, {"id": REAL, "of": ELSE})
        names.compare({"text": "it is f7c9aec9-..., at 2026-11-20T12:31:52Z"}, {
            "text": f"it is {REAL}, at 2027-01-01T00:00:00.5Z",
        })  # fmt: skip
        self.assertEqual(names.put(f"x/{ID} f7c9aec9-... {OTHER}"), f"x/{REAL} {REAL} {ELSE}")
        with self.assertRaises(Unlike):
            names.compare({"id": ID}, {"id": ELSE})
        with self.assertRaises(Unlike):
            names.compare("f7c9aec9-...", ELSE)

    def test_each_difference_is_seen(self):
        for shown, found in (
            ({"a": 1}, {"a": 2}),
            ({"a": 1}, {"a": True}),
            ({"a": 1}, {"a": 1, "b": 2}),
            ({"a": 1, "...": 1}, {"b": 1}),
            ({"a": {"b": None, "...": 1}}, {"a": {"b": ""}}),
            ([1], [1, 2]),
            ([1, 2, "..."], [1]),
            ("COMPLETE", "FAILED"),
            ("...of it", "of them"),
            ("10.0.0.1", "none"),
            (ID, "none"),
        ):
            with self.assertRaises(Unlike, msg=f"{shown} {found}"):
                Names().compare(shown, found)
        Names().compare({"a": [1, "..."], "t": "... is 10.0.0.1...", "...": 1}, {
            "a": [1, 2], "t": "it is 10.9.8.7 now", "b": 1,
        })  # fmt: skip
