"""The pages of volume types, QoS specs and the projects' own default types: to be read; the API changes them."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest

from identity import projects
from lifecycle.admin import ReadOnlyAdmin
from lifecycle.showing import link, moment, pairs, rows
from volumes.actions.typing import DEFAULT
from volumes.admin.sharing import WithProject, told
from volumes.models import DefaultType, QosSpecs, TypeAccess, VolumeType


@admin.register(VolumeType)
class VolumeTypeAdmin(ReadOnlyAdmin):
    list_display = ["title", "is_public", "specs", "qos", "encrypted", "count", "created"]
    list_filter = ["is_public"]
    list_select_related = ["qos", "encryption"]
    search_fields = ["name", "id", "description"]
    ordering = ["name"]
    fields = [
        ("title", "is_public", "count"),
        "description",
        "specs_table",
        "access_table",
        "encryption_table",
        "qos",
        ("id", "created_at", "updated_at"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[VolumeType]:
        found: QuerySet[VolumeType] = super().get_queryset(request)
        return found.annotate(volume_count=Count("volumes"))

    @admin.display(description="name", ordering="name")
    def title(self, kind: VolumeType) -> str:
        return f"{kind.name} (where none is asked for)" if kind.name == DEFAULT else kind.name

    @admin.display(description="extra specs")
    def specs(self, kind: VolumeType) -> str:
        return ", ".join(f"{key}={value}" for key, value in sorted(kind.extra_specs.items()))

    @admin.display(description="encrypted", boolean=True)
    def encrypted(self, kind: VolumeType) -> bool:
        return hasattr(kind, "encryption")

    @admin.display(description="volumes", ordering="volume_count")
    def count(self, kind: VolumeType) -> int:
        return int(getattr(kind, "volume_count", 0))

    @admin.display(description="created", ordering="created_at")
    def created(self, kind: VolumeType) -> str:
        return moment(kind.created_at)

    @admin.display(description="extra specs")
    def specs_table(self, kind: VolumeType) -> str:
        return pairs(kind.extra_specs, none="none: any pool will do")

    @admin.display(description="who may use it")
    def access_table(self, kind: VolumeType) -> str:
        if kind.is_public:
            return "everybody: the type is public"
        given = list(TypeAccess.objects.filter(type=kind).order_by("pk").values_list("project_id", flat=True))
        names = projects.names(given)
        lines = ([told(pk, names.get(pk)), pk] for pk in given)
        return rows(["project", "id"], lines, none="admins only: no project was given access")

    @admin.display(description="encryption")
    def encryption_table(self, kind: VolumeType) -> str:
        if not hasattr(kind, "encryption"):
            return "none"
        told = kind.encryption
        return pairs(
            {
                "provider": told.provider,
                "cipher": told.cipher or "",
                "key size": told.key_size or "",
                "control location": told.control_location,
            }
        )


@admin.register(QosSpecs)
class QosSpecsAdmin(ReadOnlyAdmin):
    list_display = ["name", "consumer", "limits"]
    search_fields = ["name", "id"]
    ordering = ["name"]
    fields = ["name", "consumer", "specs_table", "types_table", ("id", "created_at", "updated_at")]

    @admin.display(description="limits")
    def limits(self, qos: QosSpecs) -> str:
        return ", ".join(f"{key}={value}" for key, value in sorted(qos.specs.items()))

    @admin.display(description="limits")
    def specs_table(self, qos: QosSpecs) -> str:
        return pairs(qos.specs)

    @admin.display(description="types")
    def types_table(self, qos: QosSpecs) -> str:
        kinds = qos.types.order_by("name")
        return rows(["type"], ([link(VolumeType, kind.pk, kind.name)] for kind in kinds), none="none")


@admin.register(DefaultType)
class DefaultTypeAdmin(WithProject):
    list_display = ["project", "type"]
    list_display_links = None
    list_select_related = ["type"]
    search_fields = ["project_id", "type__name"]
    ordering = ["project_id"]
