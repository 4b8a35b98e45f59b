"""Buttons on an admin page: what an operator may ask for of a row, and how that is asked.

Each is made by the very action that the API uses, in the operator's own name. Which of them a leased row shows follows
from its transition table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from lifecycle.errors import LifecycleError

Given = Mapping[str, str]


class Unfit(Exception):
    """What the operator typed cannot be meant."""


@dataclass(frozen=True, slots=True)
class Input:
    """Something that a button asks for."""

    name: str
    label: str
    kind: str = "text"  # text, number, select or checkbox
    value: object = ""
    choices: Sequence[str] = ()
    required: bool = False


@dataclass(frozen=True, slots=True)
class Button:
    """A request that can be made of a row. `make` gets the row and what was typed."""

    make: Callable[[HttpRequest, Any, Given], object]
    label: str
    inputs: Callable[[Any], Sequence[Input]] = lambda _row: ()
    confirm: str = ""  # asked before what cannot be undone
    grave: bool = False  # a last resort: shown apart


def whole(given: Given, name: str, label: str, least: int, most: int) -> int:
    """Return a whole number that was typed.

    :raises Unfit: it is none between these.
    """
    text = given.get(name, "").strip()
    if not text.isascii() or not text.isdigit() or len(text) > len(str(most)):
        raise Unfit(f"{label} must be a whole number from {least} to {most}.")
    if not least <= int(text) <= most:
        raise Unfit(f"{label} must be a whole number from {least} to {most}.")
    return int(text)


class WithButtons(admin.ModelAdmin):  # type: ignore[type-arg]
    """A page with a button for each request that its row accepts now."""

    buttons: ClassVar[Mapping[str, Button]] = {}
    refusals: ClassVar[tuple[type[Exception], ...]] = ()
    """What the actions raise, besides the core's own errors, when they refuse."""
    change_form_template = "admin/with_buttons.html"

    def offered(self, row: Any) -> Collection[str]:
        """Return the names of the buttons that the row shows now."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        request = path(
            "<str:object_id>/request/<str:event>/",
            self.admin_site.admin_view(self.make_request),
            name=f"{self.opts.app_label}_{self.opts.model_name}_request",
        )
        return [request, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the row with its buttons, to who may press them."""
        row = self.get_object(request, unquote(object_id))
        shown: list[dict[str, Any]] = []
        if row is not None and self._may(request):
            offered = self.offered(row)
            shown = [
                {
                    "event": event,
                    "button": button,
                    "inputs": button.inputs(row),
                    "url": self._url("request", object_id, event),
                }
                for event, button in self.buttons.items()
                if event in offered
            ]
        context = {
            "buttons": [each for each in shown if not each["button"].grave],
            "grave_buttons": [each for each in shown if each["button"].grave],
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def make_request(self, request: HttpRequest, object_id: str, event: str) -> HttpResponse:
        """Make the request that a button asks for."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self._may(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        button = self.buttons.get(event)
        if row is None or button is None:
            name = self.opts.verbose_name
            messages.error(request, f"There is no such {name}, or no such request.")
            return HttpResponseRedirect(self._url("changelist"))
        given = request.POST.dict()
        refusals: tuple[type[Exception], ...] = (LifecycleError, Unfit, *self.refusals)
        try:
            self._refuse_blanks(button, row, given)
            button.make(request, row, given)
        except refusals as refused:
            messages.error(request, str(refused))
        else:
            self.log_change(request, row, f"Asked for: {event}.")
            messages.success(request, f"Accepted: {button.label.lower()} {row}.")
        if not self.model._default_manager.filter(pk=row.pk).exists():  # noqa: SLF001
            return HttpResponseRedirect(self._url("changelist"))
        return HttpResponseRedirect(self._url("change", quote(row.pk)))

    def _may(self, request: HttpRequest) -> bool:
        user = request.user
        return user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def _refuse_blanks(self, button: Button, row: Any, given: Given) -> None:
        for each in button.inputs(row):
            if each.required and not given.get(each.name, "").strip():
                raise Unfit(f"{each.label} must be given.")

    def _url(self, page: str, *args: str) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}", args=args)
