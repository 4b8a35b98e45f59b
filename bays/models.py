"""Bays, the baymodels they are made from, and the quota of them: columns, constraints, lookups.

A bay and Magnum's "cluster" are one row, as are a baymodel and a "cluster template". Who writes what: the API
inserts a Bay and swaps it to a busy state; the holder of its lease writes everything else, but for `health_*`,
which is an observation and which the synchronizer writes.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Func, OuterRef, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Now
from django.db.models.query import RawQuerySet

from bays.nodegroups import NodeGroup
from bays.states import BAY, Health
from lifecycle.durations import sized
from lifecycle.models import Leased, guards, indexes
from lifecycle.swap import Given, Part, Swap, rows_of

__all__ = ["Bay", "BayModel", "BayModelQuerySet", "NodeGroup", "Quota", "unchanged"]

M = TypeVar("M", bound=models.Model)


class Named(models.QuerySet[M]):
    """Rows that are called by their id or, within what the caller can see, by their name."""

    def called(self, ident: str) -> Self:
        """Rows with this id or, where it is no id, this name; more than one if the name is ambiguous."""
        try:
            return self.filter(pk=uuid.UUID(ident))
        except ValueError:
            return self.filter(name=ident)


class BayModelQuerySet(Named["BayModel"]):
    def kept(self) -> RawQuerySet[BayModel]:
        """These rows, which until the end of the transaction can be neither deleted nor locked for a change.

        Any number of transactions may keep a row at once (PostgreSQL's FOR KEY SHARE, for which Django has no
        name): it is for whoever makes a row that refers to one of these.
        """
        sql, params = self.query.sql_with_params()
        return self.raw(f"{sql} FOR KEY SHARE", params)

    def visible_to(self, project_id: str) -> Self:
        """The project's own baymodels, and those that were published to all."""
        return self.filter(Q(project_id=project_id) | Q(public=True, hidden=False))


class BayModel(models.Model):
    """What bays are made from: driver, image, flavors, network. Magnum's ClusterTemplate."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    coe = models.CharField(max_length=32)
    server_type = models.CharField(max_length=8, default="vm")
    image_id = models.CharField(max_length=255)
    keypair_id = models.CharField(max_length=255, null=True, blank=True)
    flavor_id = models.CharField(max_length=255, null=True, blank=True)
    master_flavor_id = models.CharField(max_length=255, null=True, blank=True)
    dns_nameserver = models.CharField(max_length=255, null=True, blank=True)
    external_network_id = models.CharField(max_length=255, null=True, blank=True)
    fixed_network = models.CharField(max_length=255, null=True, blank=True)
    fixed_subnet = models.CharField(max_length=255, null=True, blank=True)
    network_driver = models.CharField(max_length=255, null=True, blank=True)
    volume_driver = models.CharField(max_length=255, null=True, blank=True)
    docker_storage_driver = models.CharField(max_length=255, null=True, blank=True)
    docker_volume_size = models.IntegerField(null=True, blank=True)
    apiserver_port = models.IntegerField(null=True, blank=True)
    cluster_distro = models.CharField(max_length=255, null=True, blank=True)
    http_proxy = models.CharField(max_length=255, null=True, blank=True)
    https_proxy = models.CharField(max_length=255, null=True, blank=True)
    no_proxy = models.CharField(max_length=255, null=True, blank=True)
    insecure_registry = models.CharField(max_length=255, null=True, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    tags = models.CharField(max_length=255, null=True, blank=True)
    driver = models.CharField(max_length=255, null=True, blank=True)
    registry_enabled = models.BooleanField(default=False)
    tls_disabled = models.BooleanField(default=False)
    public = models.BooleanField(default=False)
    hidden = models.BooleanField(default=False)
    floating_ip_enabled = models.BooleanField(default=True)
    master_lb_enabled = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    objects = BayModelQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "created_at", "id"], name="baymodel_by_project"),
            models.Index(fields=["id"], name="baymodel_public", condition=Q(public=True)),
        ]

    def __str__(self) -> str:
        return self.name


def unchanged(model: BayModel) -> Part:
    """Return the guarded read that finds a baymodel as it was when it was looked up, and keeps it so (see `kept`)."""
    table = BayModel._meta.db_table  # noqa: SLF001
    return Part(
        f"SELECT FROM {table} WHERE id = %s AND updated_at IS NOT DISTINCT FROM %s FOR KEY SHARE",  # noqa: S608
        [model.pk, model.updated_at],
    )


class BayQuerySet(Named["Bay"]):
    def of_project(self, project_id: str) -> Self:
        return self.filter(project_id=project_id)

    def counted(self) -> Self:
        """These bays, with how many nodes their further groups have."""
        groups = NodeGroup.objects.filter(bay=OuterRef("pk")).order_by().values("bay")
        total = groups.annotate(total=Sum("node_count")).values("total")
        return self.annotate(further_nodes=Coalesce(Subquery(total), 0))


_NOTHING = Value({}, models.JSONField())


class Bay(Leased):
    """A container cluster: one Heat stack."""

    machine = BAY
    resting: ClassVar[Mapping[str, object]] = {"change": {}, "nodes_done": None}
    further_nodes = 0  # those of its further node groups, where `counted` was asked for

    project_id = models.CharField(max_length=64)
    user_id = models.CharField(max_length=64)
    name = models.CharField(max_length=242)
    baymodel = models.ForeignKey(BayModel, on_delete=models.PROTECT, related_name="bays")
    keypair = models.CharField(max_length=255, null=True, blank=True)
    flavor_id = models.CharField(max_length=255, null=True, blank=True)
    master_flavor_id = models.CharField(max_length=255, null=True, blank=True)
    node_count = models.IntegerField(default=1)
    min_node_count = models.IntegerField(default=0, db_default=0)  # of the default workers, as node_count is
    max_node_count = models.IntegerField(null=True, blank=True)
    master_count = models.IntegerField(default=1)
    docker_volume_size = models.IntegerField(null=True, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    create_timeout = models.IntegerField(default=60)  # minutes
    discovery_url = models.CharField(max_length=1024, null=True, blank=True)
    fixed_network = models.CharField(max_length=255, null=True, blank=True)
    fixed_subnet = models.CharField(max_length=255, null=True, blank=True)
    floating_ip_enabled = models.BooleanField(default=True)
    master_lb_enabled = models.BooleanField(default=False)
    # By which trust the stack is in the owner's project, sealed: see `bays.delegations`. Null: in the service project.
    delegation = models.BinaryField(null=True, blank=True)
    # The stack. `sent_*` say what was last asked of Heat, and are written before it is asked.
    stack_id = models.UUIDField(null=True, blank=True)
    sent_for = models.UUIDField(null=True, blank=True)  # the operation
    sent_at = models.DateTimeField(null=True, blank=True)
    sends = models.IntegerField(default=0)
    # What the driver must know of the change under way beside what the bay should be: nodes to remove, size of a batch.
    change = models.JSONField(default=dict, blank=True, db_default=_NOTHING)
    # What the stack said when it was last complete.
    api_address = models.CharField(max_length=1024, null=True, blank=True)
    node_addresses = models.JSONField(default=list, blank=True)
    master_addresses = models.JSONField(default=list, blank=True)
    nodes = models.JSONField(
        default=dict, blank=True, db_default=_NOTHING
    )  # by node group: id, name and address
    nodes_done = models.IntegerField(null=True, blank=True)  # as last seen, of the change under way
    coe_version = models.CharField(max_length=255, null=True, blank=True)
    container_version = models.CharField(max_length=255, null=True, blank=True)
    health_status = models.CharField(max_length=16, choices=Health.choices, default=Health.UNKNOWN)
    health_status_reason = models.JSONField(default=dict, blank=True)
    observed_at = models.DateTimeField(null=True, blank=True)

    objects = BayQuerySet.as_manager()

    class Meta:
        constraints = [
            *guards(BAY),
            models.CheckConstraint(
                name="bay_counts_are_sane", condition=Q(node_count__gte=0, master_count__gte=1)
            ),
        ]
        indexes = [
            *indexes(BAY),
            models.Index(fields=["project_id", "created_at", "id"], name="bay_by_project"),
            models.Index(fields=["stack_id"], name="bay_by_stack"),
            models.Index(
                fields=["project_id", "id"], name="bay_delegated", condition=Q(delegation__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def alike(self, event: str, values: Mapping[str, object], size: int | None) -> str:
        """By driver and nodes: a resize is as long as the nodes that come or go, all else as those that there are."""
        wanted = values.get("node_count")
        if size is not None:
            nodes = size
        elif event == "update" and isinstance(wanted, int):
            nodes = abs(wanted - self.node_count)
        else:
            nodes = self.node_count + self.master_count
        return f"{self.baymodel.coe} {self.baymodel.server_type}, nodes {sized(nodes)}"

    @property
    def deadline(self) -> timedelta:
        """The time that a create or an update may take."""
        return timedelta(minutes=self.create_timeout) or BAY.busy[BAY.births["create"]].deadline


_NUMBER = Func(Value("bays_quota_number"), function="nextval", output_field=models.BigIntegerField())


class Quota(models.Model):
    """How many bays a project may have, and how many it has, kept in the transactions that change it.

    The row is there from a project's first bay on. What the API calls a quota is a row with a limit of its own.
    """

    revised_by = ("project_id", "hard_limit", "updated_at")  # not by what is counted

    project_id = models.CharField(max_length=64, primary_key=True)
    hard_limit = models.IntegerField(null=True, blank=True)  # null: the setting BAY_QUOTA
    used = models.IntegerField(db_default=0)
    number = models.BigIntegerField(db_default=_NUMBER, unique=True, editable=False)  # the API's id of it
    created_at = models.DateTimeField(null=True, blank=True, editable=False)  # when the limit was
    updated_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="bay_quota_used_is_not_negative", condition=Q(used__gte=0))
        ]

    def __str__(self) -> str:
        return f"{self.project_id}: {self.used} of {self.limit}"

    @property
    def limit(self) -> int:
        return settings.BAY_QUOTA if self.hard_limit is None else self.hard_limit

    @property
    def told(self) -> str:
        """Why there is no bay more."""
        return f"The project has {self.used} bays and its limit is {self.limit}."

    @classmethod
    def reservation(cls, project_id: str) -> Part:
        """Return the guarded write that counts one more bay, if the project has not its limit of them."""
        return _RESERVE.part(pk=project_id, default=settings.BAY_QUOTA)

    @classmethod
    def reserve(cls, project_id: str) -> bool:
        """Count one more bay, inside the accepting transaction; False if the project has its limit of them."""
        if rows_of(cls, cls.reservation(project_id)):
            return True
        Quota.objects.bulk_create([Quota(project_id=project_id, used=0)], ignore_conflicts=True)
        return bool(rows_of(cls, cls.reservation(project_id)))

    @classmethod
    def release(cls, project_id: str) -> None:
        """Count one bay less, inside the transaction that removes it."""
        _RELEASE.rows(pk=project_id)


_ROOM = Q(used__lt=Coalesce(F("hard_limit"), Given("default", models.IntegerField())))
_RESERVE = Swap(Quota, _ROOM, pk=Given("pk"), values={"used": F("used") + 1})
_RELEASE = Swap(Quota, pk=Given("pk"), values={"used": F("used") - 1})


class Authority(models.Model):
    """The certificate authority of a bay, made when somebody first needs it.

    The database removes it with its bay, which ends by a plain DELETE: a foreign key that Django does not know of
    (see the migration). The key is sealed: see `bays.certificates`.
    """

    bay = models.OneToOneField(
        Bay, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="authority"
    )
    generation = models.IntegerField(default=1)
    pem = models.TextField()
    sealed_key = models.BinaryField()
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "authorities"

    def __str__(self) -> str:
        return f"authority of bay {self.bay_id}"
