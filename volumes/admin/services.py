"""The page of services: which node serves which back-end, and whether it was told not to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from api.problems import Problem
from lifecycle.admin import ReadOnlyAdmin
from volumes.actions import services
from volumes.actions.pools import ANY_NODE
from volumes.admin.pools import service_state
from volumes.admin.sharing import operator
from volumes.models import ServiceState

LIST = "admin:volumes_servicestate_changelist"


@admin.register(ServiceState)
class ServiceStateAdmin(ReadOnlyAdmin):
    """A row is there only where an operator said something; so the list is made of the services themselves."""

    def get_urls(self) -> list[URLPattern]:
        tell = path("tell/", self.admin_site.admin_view(self.tell), name="volumes_servicestate_tell")
        return [tell, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show every node's service for every back-end that it reaches."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        stores = [
            {"service": each, "state": service_state(each)}
            for each in services.services()
            if each.binary == services.STORAGE and each.node != ANY_NODE
        ]
        context = {
            **self.admin_site.each_context(request),
            "title": "Which node serves which back-end",
            "opts": self.opts,
            "media": self.media,
            "services": stores,
            "may": self._may(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/volumes/services.html", context)

    def tell(self, request: HttpRequest) -> HttpResponse:
        """Have a node take no more work of a back-end, or take it again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self._may(request):
            raise PermissionDenied
        host, reason = request.POST.get("host", ""), request.POST.get("reason", "").strip()
        disable = request.POST.get("what") == "disable"
        try:
            service = services.find(host, services.STORAGE)
            if disable and not reason:
                messages.error(request, "A reason must be given.")
            else:
                self._tell(request, service, reason if disable else None)
        except Problem as refused:
            messages.error(request, str(refused))
        return HttpResponseRedirect(reverse(LIST))

    def _tell(self, request: HttpRequest, service: services.Service, reason: str | None) -> None:
        if reason is None:
            services.enable(operator(request), service)
        else:
            services.disable(operator(request), service, reason[:255])
        told = ServiceState.objects.get(node=service.node, backend=service.host.partition("@")[2])
        what = "enabled" if reason is None else f"disabled: {reason}"
        self.log_change(request, told, f"{what[:1].upper()}{what[1:]}.")
        messages.success(request, f"{service.host} is {what}.")

    def _may(self, request: HttpRequest) -> bool:
        return request.user.has_perm("volumes.change_servicestate")
