"""Where each service lives. OpenStack's clients find them by the catalog; people by the first page."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from api import errors
from api.health import healthz

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.fault

urlpatterns = [
    path("", RedirectView.as_view(url="/admin/")),
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    *([path("", include("identity.urls"))] if settings.IDENTITY == "own" else []),
    path("", include("bays.urls")),
    path("", include("volumes.urls")),
]
