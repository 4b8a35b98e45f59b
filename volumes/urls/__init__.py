"""Routes under /volume."""

from __future__ import annotations

from volumes.urls import attachments, catalog, storage

urlpatterns = [*storage.urlpatterns, *attachments.urlpatterns, *catalog.urlpatterns]
