"""The page of a pool: what is promised of it, how old that is, why it takes nothing; and its back-end's buttons."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils.html import format_html

from api.problems import Problem
from identity import projects
from lifecycle.admin import ReadOnlyAdmin
from lifecycle.buttons import Button, Given, Input, WithButtons
from lifecycle.showing import badge, bar, moment, pairs, rows, span, why
from volumes.actions import pools, services
from volumes.admin.sharing import BackendFilter, operator, told
from volumes.models import Pool


def _freeze(request: HttpRequest, pool: Pool, _given: Given) -> None:
    services.freeze(operator(request), pools.backends()[pool.backend], frozen=True)


def _thaw(request: HttpRequest, pool: Pool, _given: Given) -> None:
    services.freeze(operator(request), pools.backends()[pool.backend], frozen=False)


def _disable(request: HttpRequest, pool: Pool, given: Given) -> None:
    whole = services.find(pools.address(pool.backend), services.STORAGE)
    services.disable(operator(request), whole, given["reason"].strip())


def _enable(request: HttpRequest, pool: Pool, _given: Given) -> None:
    services.enable(operator(request), services.find(pools.address(pool.backend), services.STORAGE))


def _report(_request: HttpRequest, pool: Pool, _given: Given) -> None:
    Pool.objects.filter(backend=pool.backend).update(report_due=Now())


def _promised(pool: Pool) -> str:
    return bar(pool.allocated_gb, pool.promisable_gb, f"{pool.allocated_gb:,} of {pool.promisable_gb:,} GiB")


def _stored(pool: Pool) -> str:
    used = pool.total_gb - pool.free_gb
    return bar(used, pool.total_gb, f"{used:,.0f} of {pool.total_gb:,.0f} GiB")


@admin.register(Pool)
class PoolAdmin(WithButtons, ReadOnlyAdmin):
    """Freezing and disabling hold for all pools of the back-end."""

    list_display = ["id", "state", "promised", "stored", "reported", "said"]
    list_filter = [BackendFilter, "disabled", "frozen"]
    search_fields = ["id"]
    ordering = ["id"]
    refusals = (Problem,)
    buttons = {
        "report": Button(_report, "Ask for a report now"),
        "freeze": Button(
            _freeze,
            "Freeze back-end",
            confirm="Nothing in this back-end can be made or deleted then. Freeze it?",
        ),
        "thaw": Button(_thaw, "Thaw back-end"),
        "disable": Button(
            _disable, "Disable back-end", lambda _pool: [Input("reason", "Reason", required=True)]
        ),
        "enable": Button(_enable, "Enable back-end"),
    }
    fieldsets = [
        (
            None,
            {"fields": [("state", "availability_zone"), "said", ("reported", "reported_by", "report_due")]},
        ),
        (
            "Capacity",
            {
                "fields": [
                    "promised",
                    "stored",
                    ("over_provisioning", "reserved_percentage", "largest"),
                    "usage_table",
                ]
            },
        ),
        ("What it can do", {"fields": ["capabilities_table"]}),
        ("Who serves it", {"fields": ["nodes_table"]}),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Pool]:
        return pools.reported()

    def offered(self, row: Pool) -> Collection[str]:
        return ["report", "thaw" if row.frozen else "freeze", "enable" if row.disabled else "disable"]

    @admin.display(description="state")
    def state(self, pool: Any) -> str:
        """Tell whether it takes new volumes."""
        if pool.down_since is not None:
            return badge("down", "bad")
        if pool.reported_at is None:
            return badge("never reported", "quiet")
        if not pool.up:
            return badge("silent", "bad")
        if pool.frozen:
            return badge("frozen", "busy")
        return badge("disabled", "quiet") if pool.disabled else badge("up", "good")

    @admin.display(description="promised")
    def promised(self, pool: Pool) -> str:
        return _promised(pool)

    @admin.display(description="stored")
    def stored(self, pool: Pool) -> str:
        return _stored(pool)

    @admin.display(description="last report", ordering="reported_at")
    def reported(self, pool: Any) -> str:
        return f"{span(max(pool.age, pool.age * 0))} ago" if pool.age is not None else "never"

    @admin.display(description="why")
    def said(self, pool: Any) -> str:
        """Tell why it takes no new volumes."""
        reasons = [
            "No node has asked it yet." if pool.reported_at is None else "",
            "Its last report is too old." if pool.reported_at and not pool.up and not pool.down_since else "",
            f"Down since {pool.down_since:%Y-%m-%d %H:%M:%S}: {pool.down_reason}" if pool.down_since else "",
            "Frozen: nothing can be made or deleted." if pool.frozen else "",
            f"Disabled: {pool.disabled_reason or 'no reason given'}" if pool.disabled else "",
        ]
        return why(" ".join(filter(None, reasons))) or "takes new volumes"

    @admin.display(description="largest volume now")
    def largest(self, pool: Pool) -> str:
        return f"{max(min(pool.free_promisable_gb, pool.promisable_gb - pool.allocated_gb), 0):,} GiB"

    @admin.display(description="back-end used by")
    def usage_table(self, pool: Pool) -> str:
        usages = pools.usage_of(pool.backend)
        names = projects.names(usages)
        head = ["project", "volumes", "GiB", "snapshots", "GiB"]
        lines = [
            [told(pk, names.get(pk)), u.volumes, u.volume_gb, u.snapshots, u.snapshot_gb]
            for pk, u in usages.items()
        ]
        sums = pools.total(usages)
        total = ["all", sums.volumes, sums.volume_gb, sums.snapshots, sums.snapshot_gb]
        return rows(head, [*lines, total] if lines else [], none="nobody")

    @admin.display(description="capabilities")
    def capabilities_table(self, pool: Pool) -> str:
        return pairs(pool.capabilities, none="none reported")

    @admin.display(description="nodes")
    def nodes_table(self, pool: Pool) -> str:
        cluster = services.cluster_named(pools.address(pool.backend))
        told = (
            [each.node, service_state(each), moment(each.seen_at), why(each.disabled_reason or "")]
            for each in cluster.members
        )
        return rows(["node", "state", "last seen", "reason"], told, none="no node serves it")


def service_state(service: services.Service) -> str:
    """Return whether a node's service does work."""
    told = badge("up", "good") if service.up else badge("down", "bad")
    return format_html("{} {}", told, badge("disabled", "quiet")) if service.disabled else told
