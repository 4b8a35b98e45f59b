"""Where each service lives. OpenStack's clients find them by the catalog; people by the first page."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from api import errors
from api.health import healthz
from api.openapi import views as openapi
from api.versions import IDENTITY, SERVICES

handler400 = errors.bad_request
handler403 = errors.forbidden
handler404 = errors.not_found
handler500 = errors.fault

OWN = settings.IDENTITY == "own"
OFFERED = [service for service in SERVICES if OWN or service is not IDENTITY]
urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("healthz", healthz),
    path("admin/", admin.site.urls),
    path("docs", RedirectView.as_view(url="/docs/")),
    path("docs/", openapi.page, {"services": OFFERED}),
    *(path(openapi.path_of(each).lstrip("/"), openapi.description, {"service": each}) for each in OFFERED),
    *([path("", include("identity.urls"))] if OWN else []),
    path("", include("bays.urls")),
    path("", include("volumes.urls")),
]
