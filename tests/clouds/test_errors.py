"""What users may read of a cloud's error."""

from django.test import SimpleTestCase
from hypothesis import given
from hypothesis import strategies as st

from clouds.errors import REASON_LIMIT, CloudError, NotFound, presentable


class PresentableTest(SimpleTestCase):
    def test_it_keeps_a_plain_message(self):
        self.assertEqual(
            presentable("The Stack (a) could not be found."), "The Stack (a) could not be found."
        )

    def test_it_hides_what_opens_doors(self):
        for text in (
            "cannot connect to postgresql://heat:hunter2@10.0.0.1/heat",
            "password=hunter2 was refused",
            '{"auth": {"password": "hunter2"}}',
            "{'OS_PASSWORD': 'hunter2 with spaces'}",
            "X-Auth-Token: hunter2",
            "Authorization: Bearer hunter2hunter2",
            "application_credential_secret: hunter2",
            "invalid token gAAAAABhunter2_-x=",
        ):
            with self.subTest(text):
                self.assertNotIn("hunter2", presentable(text))
                self.assertIn("***", presentable(text))

    def test_it_drops_stack_traces_and_web_pages(self):
        trace = (
            'It failed.\nTraceback (most recent call last):\n  File "/usr/lib/heat.py", line 1\nKeyError: 1'
        )
        self.assertEqual(presentable(trace), "It failed.")
        page = presentable("<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>")
        self.assertNotIn("<", page)

    def test_an_error_without_a_message_says_what_it_means(self):
        self.assertEqual(NotFound("").reason, "There is no such thing, or no longer.")

    @given(st.text(max_size=2000))
    def test_it_gives_one_short_printable_line_of_anything(self, text):
        reason = CloudError(text).reason
        self.assertTrue(reason.isprintable())
        self.assertTrue(0 < len(reason) <= REASON_LIMIT)
