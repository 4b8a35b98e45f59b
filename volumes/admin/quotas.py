"""The pages of quotas: an operator edits the limits; what is used only the system writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet, Subquery
from django.http import HttpRequest

from identity import projects
from lifecycle.admin import ReadOnlyAdmin
from lifecycle.showing import bar, rows
from volumes.actions import quotas as actions
from volumes.admin.sharing import WithProject
from volumes.models import Quota, QuotaClass, TypeQuota, VolumeType
from volumes.models.quotas import COUNTED, UNLIMITED, of_type

LIMITS = [f"{name}_limit" for name in COUNTED]
PER_VOLUME = "per_volume_gigabytes"
NAMES = (*COUNTED, PER_VOLUME)
LABELS = {
    "volumes": "Volumes",
    "snapshots": "Snapshots",
    "gigabytes": "GiB of volumes and snapshots",
    PER_VOLUME: "GiB of one volume",
}


def limit_field(name: str) -> forms.IntegerField:
    return forms.IntegerField(
        label=LABELS[name],
        required=False,
        min_value=UNLIMITED,
        max_value=2**63 - 1,
        help_text="Empty: the default holds. -1: no limit.",
    )


class OfProject(forms.ModelForm):  # type: ignore[type-arg]
    """Limits of a project, which may be named by its id, or the name of one of ours."""

    volumes_limit = limit_field("volumes")
    snapshots_limit = limit_field("snapshots")
    gigabytes_limit = limit_field("gigabytes")

    def clean_project_id(self) -> str:
        found = projects.find(str(self.cleaned_data["project_id"]))
        if found is None:
            raise ValidationError("There is no such project.")
        return found


class QuotaForm(OfProject):
    per_volume = limit_field(PER_VOLUME)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["per_volume"] = self.instance.other_limits.get(PER_VOLUME)


class TypeQuotaForm(OfProject):
    def clean(self) -> dict[str, Any]:
        """Refuse a row that would limit nothing: what has no limit need not be counted apart."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if self.instance.pk is None and all(given.get(name) is None for name in LIMITS):
            raise ValidationError("Give at least one limit.")
        return given


class ClassForm(forms.ModelForm):  # type: ignore[type-arg]
    volumes = limit_field("volumes")
    snapshots = limit_field("snapshots")
    gigabytes = limit_field("gigabytes")
    per_volume_gigabytes = limit_field(PER_VOLUME)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in NAMES:
            self.initial[name] = self.instance.limits.get(name)
            configured = settings.VOLUME_QUOTAS[name]
            told = "no limit" if configured == UNLIMITED else configured
            self.fields[name].help_text = f"Empty: as configured ({told}). -1: no limit."


class EditableLimits(ReadOnlyAdmin):
    """Rows whose limits are written and nothing else: what is used may have changed since the page was shown."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, "change")

    def _may(self, request: HttpRequest, what: str) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{what}_{self.opts.model_name}")


class ProjectLimits(WithProject, EditableLimits):
    readonly_fields = ["project", "of_volumes", "of_snapshots", "of_gigabytes"]
    search_fields = ["project_id"]
    ordering = ["project_id"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the default limits in the same statement."""
        limits = QuotaClass.objects.filter(pk=QuotaClass.DEFAULT).values("limits")
        found: QuerySet[Any] = super().get_queryset(request).annotate(class_limits=Subquery(limits))
        return found

    @admin.display(description="volumes", ordering="volumes")
    def of_volumes(self, row: Any) -> str:
        return used(row, "volumes")

    @admin.display(description="snapshots", ordering="snapshots")
    def of_snapshots(self, row: Any) -> str:
        return used(row, "snapshots")

    @admin.display(description="GiB", ordering="gigabytes")
    def of_gigabytes(self, row: Any) -> str:
        return used(row, "gigabytes")


@admin.register(Quota)
class QuotaAdmin(ProjectLimits):
    form = QuotaForm
    list_display_links = ["project_id"]
    list_display = ["project", "of_volumes", "of_snapshots", "of_gigabytes", "project_id"]

    def get_fieldsets(self, request: HttpRequest, obj: Quota | None = None) -> Any:
        limits = ("Limits", {"fields": [*LIMITS, "per_volume"]})
        if obj is None:
            return [(None, {"fields": ["project_id"]}), limits]
        uses = (None, {"fields": ["project", "of_volumes", "of_snapshots", "of_gigabytes"]})
        return [uses, limits]

    def save_model(self, request: HttpRequest, obj: Quota, form: Any, change: bool) -> None:
        row, given = Quota.locked(obj.project_id), form.cleaned_data
        for name in LIMITS:
            setattr(row, name, given[name])
        others = {name: limit for name, limit in row.other_limits.items() if name != PER_VOLUME}
        own = {} if given["per_volume"] is None else {PER_VOLUME: given["per_volume"]}
        row.other_limits = {**others, **own}
        row.save(update_fields=[*LIMITS, "other_limits"])


@admin.register(TypeQuota)
class TypeQuotaAdmin(ProjectLimits):
    form = TypeQuotaForm
    list_display_links = ["project_id"]
    list_display = ["project", "type", "of_volumes", "of_snapshots", "of_gigabytes", "project_id"]
    list_filter = ["type"]
    list_select_related = ["type"]

    def get_readonly_fields(self, request: HttpRequest, obj: TypeQuota | None = None) -> list[str]:
        return [*self.readonly_fields, "type"] if obj else list(self.readonly_fields)

    def get_fieldsets(self, request: HttpRequest, obj: TypeQuota | None = None) -> Any:
        limits = ("Limits", {"fields": LIMITS})
        if obj is None:
            return [(None, {"fields": ["project_id", "type"]}), limits]
        uses = (None, {"fields": [("project", "type"), "of_volumes", "of_snapshots", "of_gigabytes"]})
        return [uses, limits]

    def save_model(self, request: HttpRequest, obj: TypeQuota, form: Any, change: bool) -> None:
        """Write the limits; a new row begins to count what the project has of the type already."""
        limits = {name: form.cleaned_data[f"{name}_limit"] for name in COUNTED}
        if change:
            named = {f"{name}_limit": limit for name, limit in limits.items()}
            TypeQuota.objects.filter(pk=obj.pk).update(**named)
            return
        given = {f"{name}_{obj.type.name}": limit for name, limit in limits.items() if limit is not None}
        actions.set_limits(obj.project_id, given, check=False)
        obj.pk = TypeQuota.objects.get(project_id=obj.project_id, type=obj.type).pk


@admin.register(QuotaClass)
class QuotaClassAdmin(EditableLimits):
    """The class `default` is the one that counts."""

    form = ClassForm
    list_display = ["name", "told"]
    ordering = ["name"]
    readonly_fields = ["by_type"]

    def get_readonly_fields(self, request: HttpRequest, obj: QuotaClass | None = None) -> list[str]:
        return ["name", "by_type"] if obj else ["by_type"]

    def get_fieldsets(self, request: HttpRequest, obj: QuotaClass | None = None) -> Any:
        shown = [(None, {"fields": ["name"]}), ("Limits", {"fields": list(NAMES)})]
        return [*shown, ("Limits by type", {"fields": ["by_type"]})] if obj else shown

    @admin.display(description="limits")
    def told(self, row: QuotaClass) -> str:
        told = [f"{LABELS[name]}: {row.limits[name]}" for name in NAMES if name in row.limits]
        return ", ".join(told) or "as configured"

    @admin.display(description="limits by type")
    def by_type(self, row: QuotaClass) -> str:
        kinds = [
            [kind.name, *(row.limits.get(of_type(name, kind.pk), "") for name in COUNTED)]
            for kind in VolumeType.objects.order_by("name")
            if any(of_type(name, kind.pk) in row.limits for name in COUNTED)
        ]
        none = f"none; cinder quota-class-update {row.name} --volume-type TYPE --volumes N sets one"
        return rows(["type", *COUNTED], kinds, none=none)

    def save_model(self, request: HttpRequest, obj: QuotaClass, form: Any, change: bool) -> None:
        QuotaClass.objects.bulk_create([QuotaClass(name=obj.name)], ignore_conflicts=True)
        row = QuotaClass.objects.select_for_update().get(pk=obj.name)
        given = {name: form.cleaned_data[name] for name in NAMES if form.cleaned_data[name] is not None}
        row.limits = {**{k: v for k, v in row.limits.items() if k not in NAMES}, **given}
        row.save(update_fields=["limits"])


def used(row: Any, name: str) -> str:
    """Return how much of a limit is used; the row knows the default limits (`class_limits`)."""
    defaults: Mapping[str, int] = {**settings.VOLUME_QUOTAS, **(row.class_limits or {})}
    count, limit = getattr(row, name), row.limit(name, defaults)
    return f"{count:,}, no limit" if limit == UNLIMITED else bar(count, limit, f"{count:,} of {limit:,}")
