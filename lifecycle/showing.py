"""What the admin's pages are put together from: words in colour, times, reasons, tables, bars."""

from __future__ import annotations

import uuid
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from lifecycle.models import Event, Operation

TIGHT = 0.8  # the part of a bar from which on it warns
OPERATIONS = {"IN_PROGRESS": "busy", "COMPLETE": "good", "FAILED": "bad", "SUPERSEDED": "quiet"}  # tones


def badge(text: str, tone: str) -> SafeString:
    """Return a word in a coloured pill; tones are good, bad, busy and quiet."""
    return format_html('<span class="badge {}">{}</span>', tone, text)


def failed(status: str) -> bool:
    """Tell whether a status, of whichever resource, says that something went wrong."""
    return status.endswith("FAILED") or status.startswith("error")


def tone(status: str, busy: Container[str]) -> str:
    """Return the tone of a status."""
    if status in busy:
        return "busy"
    return "bad" if failed(status) else "good"


def short(ident: object) -> SafeString | str:
    """Return the beginning of an id, all of it when pointed at."""
    return (
        ""
        if ident is None
        else format_html('<span class="short" title="{}">{}</span>', ident, str(ident)[:8])
    )


def moment(at: datetime | None) -> SafeString | str:
    """Return a time (UTC) to the second."""
    return "" if at is None else format_html('<span class="moment">{}</span>', f"{at:%Y-%m-%d %H:%M:%S}")


def span(length: timedelta | None) -> str:
    """Return a length of time, in its largest unit."""
    if length is None:
        return ""
    seconds = length.total_seconds()
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def why(reason: str) -> SafeString | str:
    """Return a reason, cut where a list would burst."""
    return reason and format_html(
        '<span class="why" title="{}">{}</span>', reason, Truncator(reason).chars(140)
    )


def link(model: type[Model], pk: object, text: object = None) -> SafeString | str:
    """Return a link to a row's page, by its text or the beginning of its id."""
    if pk is None:
        return ""
    meta = model._meta  # noqa: SLF001 - Django's own, by that name
    url = reverse(f"admin:{meta.app_label}_{meta.model_name}_change", args=[quote(str(pk))])
    return format_html('<a href="{}" title="{}">{}</a>', url, pk, text or str(pk)[:8])


def rows(head: Sequence[str], body: Iterable[Sequence[object]], none: str = "") -> SafeString | str:
    """Return a table within a page; `none` is said instead of an empty one."""
    lines = [format_html_join("", "<td>{}</td>", ((cell,) for cell in row)) for row in body]
    if not lines and none:
        return none
    return format_html(
        '<table class="rows"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", "<th>{}</th>", ((word,) for word in head)),
        format_html_join("", "<tr>{}</tr>", ((line,) for line in lines)),
    )


def pairs(values: Mapping[str, object], none: str = "none") -> SafeString | str:
    """Return names and values as a table."""
    lines = format_html_join("", "<tr><th>{}</th><td>{}</td></tr>", sorted(values.items()))
    return format_html('<table class="rows pairs"><tbody>{}</tbody></table>', lines) if values else none


def bar(used: float, of: float, text: str) -> SafeString:
    """Return how full something is, with the same in words; it warns from TIGHT on."""
    part = min(max(used / of, 0), 1) if of > 0 else float(used > 0)
    colour = "bad" if part >= 1 and used else "warn" if part >= TIGHT else ""
    return format_html(
        '<span class="bar {}" role="img" aria-label="{}"><span style="width:{}%"></span></span> '
        '<span class="moment">{}</span>',
        colour,
        text,
        f"{100 * part:.0f}",
        text,
    )


def events_of(resource: uuid.UUID, *, limit: int = 50) -> SafeString | str:
    """Return what happened to a resource lately, as a table."""
    return event_rows(Event.objects.filter(resource_id=resource).order_by("-pk")[:limit])


def event_rows(events: Iterable[Event]) -> SafeString | str:
    """Return events as a table."""
    return rows(
        ["at", "event", "from", "to", "epoch", "node", "reason"],
        (
            [moment(e.at), e.event, e.from_status, e.to_status, e.epoch, short(e.node_id), why(e.reason)]
            for e in events
        ),
        none="none",
    )


def operations_of(resource: uuid.UUID, *, limit: int = 20) -> SafeString | str:
    """Return what was asked of a resource lately, as a table."""
    asked = Operation.objects.filter(resource_id=resource).order_by("-created_at")[:limit]
    return rows(
        ["asked at", "action", "state", "attempts", "by user", "reason"],
        (
            [
                moment(o.created_at),
                link(Operation, o.pk, o.action),
                badge(o.state, OPERATIONS[o.state]),
                o.attempts,
                short(o.user_id),
                why(o.reason),
            ]
            for o in asked
        ),
        none="none",
    )
