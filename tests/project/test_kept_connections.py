"""A connection that is kept is looked at before it is used again, without a statement."""

from __future__ import annotations

import psycopg2
from django.db import close_old_connections, connection
from django.test import TransactionTestCase


class KeptConnectionTests(TransactionTestCase):
    def session(self) -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        return int(pid)

    def test_a_good_one_is_kept_and_not_asked(self):
        pid = self.session()
        close_old_connections()
        with self.assertNumQueries(1):
            self.assertEqual(self.session(), pid)

    def test_one_that_the_server_has_closed_is_replaced_before_it_is_used(self):
        pid = self.session()
        settings = connection.get_connection_params()
        settings.pop("cursor_factory", None)
        other = psycopg2.connect(**settings)
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
            self.assertEqual(cursor.fetchone(), (True,))
        other.close()
        close_old_connections()
        self.assertNotEqual(self.session(), pid)
