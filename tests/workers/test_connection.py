from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from celery import current_app
from django.test import SimpleTestCase
from kombu.exceptions import OperationalError

from workers.connection import LONGEST


class ReconnectTests(SimpleTestCase):
    def test_a_broker_that_was_away_for_long_is_tried_again_within_two_seconds(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        pauses = []
        with current_app.connection(f"redis://127.0.0.1:{port}/0") as connection:
            asking: Any = connection.ensure_connection
            connection.transport_options = {"socket_connect_timeout": 1}

            def noted(error, pause):
                pauses.append(pause)
                if len(pauses) == 6:
                    raise KeyboardInterrupt

            with suppress(KeyboardInterrupt, OperationalError):
                asking(noted, None)
        self.assertEqual(max(pauses), LONGEST)
