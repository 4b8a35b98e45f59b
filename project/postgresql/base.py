"""Django's PostgreSQL, with a check of kept connections that costs no statement.

Before each request and task Django asks a kept connection `SELECT 1`. A server that has closed it has told so already:
its end of the connection can be read. One that is gone without a word is noticed by the statement that comes next,
as it would be by the question.
"""

from __future__ import annotations

import select

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to PostgreSQL."""

    def is_usable(self) -> bool:
        """Tell whether the server has not closed the connection."""
        if self.connection is None or self.connection.closed:
            return False
        end = select.poll()
        end.register(self.connection.fileno(), select.POLLIN)
        return not end.poll(0)  # nothing is to be said on an idle connection but farewell
