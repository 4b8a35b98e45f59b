"""/v1/events: what happens to the bays of a project, in order, as a list or as a stream."""

from __future__ import annotations

from django.http.response import HttpResponseBase
from rest_framework.request import Request

from api import events
from bays.states import BAY
from bays.views.base import BayView, truth
from identity.following import feed_of


class Events(BayView):
    policy = {"GET": "event:list"}
    described = {"GET": events.DESCRIBED}

    def get(self, request: Request) -> HttpResponseBase:
        """Tell what has happened since a cursor, or, to a client that accepts text/event-stream, what happens."""
        everybody = truth(request, "all_projects")
        return events.answer(request, feed_of(request, self.service, [BAY.name], everybody=everybody))
