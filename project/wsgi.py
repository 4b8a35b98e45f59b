"""The WSGI application that gunicorn serves."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
application: Callable[[dict[str, Any], Any], Iterable[bytes]] = get_wsgi_application()

from django.conf import settings  # noqa: E402 -- the line above has set Django up

if settings.IDENTITY == "keystone":
    from identity.keystone import guarded  # what it imports is for those who need it

    application = guarded(application)
