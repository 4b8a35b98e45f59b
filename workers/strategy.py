"""How a worker takes a message in: what is no task's message is refused, and never ends the worker.

Celery ends on a body of another form than its own, and puts the message back first: one such message would end
every worker that it comes to, for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery.exceptions import InvalidTaskError
from celery.worker.strategy import default


def careful(task: Any, app: Any, consumer: Any, **options: Any) -> Callable[..., Any]:
    """Return Celery's own handler of a task's messages, which refuses what it cannot take apart."""
    handle = default(task, app, consumer, **options)

    def on_message(*args: Any, **kwargs: Any) -> Any:
        try:
            return handle(*args, **kwargs)
        except (TypeError, ValueError, LookupError, AttributeError) as malformed:
            raise InvalidTaskError(f"malformed message: {malformed}") from malformed

    return on_message
