"""/events: what happens to a project's volumes, snapshots and connections, in order, as a list or as a stream."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from api import events
from identity.following import feed_of
from volumes.views.base import VolumeView, truth
from volumes.views.operations import KINDS


class Events(VolumeView):
    policy = {"GET": "event:list"}
    described = {"GET": events.DESCRIBED}

    def get(self, request: Request) -> HttpResponseBase:
        """Tell what has happened since a cursor, or, to a client that accepts text/event-stream, what happens."""
        everybody = truth(request, "all_projects")
        return events.answer(request, feed_of(request, self.service, KINDS, everybody=everybody))
