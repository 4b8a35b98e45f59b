"""What a user may ask of bays and baymodels. Each verb is one transaction; the bell rings after its commit."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.db.models.functions import Now

from api.lately import Lately
from api.preconditions import ANY, Expected
from api.problems import BadRequest, Conflict, NotFound, OverQuota
from bays import lending
from bays.drivers import NoDriver, driver_for
from bays.drivers.base import BaySpec, InvalidSpec
from bays.models import Bay, BayModel, BayModelQuerySet, Quota, unchanged
from bays.stacks import spec_of
from bays.tasks import advance_bay
from identity import policy
from identity.callers import Caller
from lifecycle import requests
from lifecycle.errors import Unprovided
from lifecycle.requests import Asked
from workers import bell

M = TypeVar("M", Bay, BayModel)
NAMED = frozenset({"image_id", "flavor_id", "master_flavor_id", "docker_volume_size"})
GREEK = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda")
_step_by_step: Lately[bool] = Lately()  # projects for which one statement would not do
_models: Lately[BayModel] = Lately()


@dataclass(frozen=True, slots=True)
class Wish:
    """A bay that somebody asks for. What is None is taken from the baymodel."""

    baymodel: str
    name: str | None = None
    node_count: int = 1
    master_count: int = 1
    labels: Mapping[str, str] | None = None
    merge_labels: bool = False
    keypair: str | None = None
    flavor_id: str | None = None
    master_flavor_id: str | None = None
    docker_volume_size: int | None = None
    create_timeout: int = 60
    discovery_url: str | None = None
    fixed_network: str | None = None
    fixed_subnet: str | None = None
    floating_ip_enabled: bool | None = None
    master_lb_enabled: bool | None = None
    sent: Mapping[str, object] = field(default_factory=dict)


def create(by: Caller, request_id: str, wish: Wish) -> Bay:
    """Accept a new bay: its row, its Operation and its place in the quota, or nothing.

    :raises BadRequest: the baymodel is unknown, or its driver cannot give what is asked.
    :raises OverQuota: the project has its limit of bays.
    """
    asked = Asked(by.user_id, by.project, request_id, dict(wish.sent))
    return _create_at_once(by, asked, wish) or _create_step_by_step(by, asked, wish)


def _create_at_once(by: Caller, asked: Asked, wish: Wish) -> Bay | None:
    """Accept a bay in one statement; None where something is missing, or the baymodel is just being changed."""
    if _step_by_step.get(by.project):
        return None
    bay = _bay_of(by, _baymodel_lately(by, wish.baymodel), wish)
    check(spec_of(bay))
    provided = [unchanged(bay.baymodel), Quota.reservation(by.project)]
    try:
        requests.birth(bay, "create", asked, name=bay.name, deadline=bay.deadline, provided=provided)
    except Unprovided:
        _step_by_step.put(by.project, True)
        return None
    bell.gather_on_commit(advance_bay, bay)
    return bay


def _create_step_by_step(by: Caller, asked: Asked, wish: Wish) -> Bay:
    """Accept a bay, or say what is missing."""
    with transaction.atomic():
        bay = _bay_of(by, _baymodel_for(_baymodels(by, wish.baymodel)[:2].kept(), wish.baymodel), wish)
        check(spec_of(bay))
        if not Quota.reserve(by.project):
            raise OverQuota(Quota.objects.get(pk=by.project).told)
        requests.birth(bay, "create", asked, name=bay.name, deadline=bay.deadline)
        bell.ring_on_commit(advance_bay, bay)
    return bay


def delete(by: Caller, request_id: str, bay: Bay, *, expected: Expected = ANY) -> Bay:
    """Accept the bay's end. It overtakes a create or an update under way.

    :raises StateConflict: the bay is being deleted already.
    :raises PreconditionFailed: the bay is not as expected.
    """
    with expected.of(bay) as guards:
        asked = Asked(by.user_id, bay.project_id, request_id)
        won = requests.request(
            bay, "delete", asked, name=bay.name, values=lending.columns(by, bay.pk), **guards
        )
    bell.ring_on_commit(advance_bay, won)
    return won


def find_bay(by: Caller, ident: str, *, counted: bool = False) -> Bay:
    """Return the bay with this id or name, of the caller's project; an admin's id finds any project's.

    `counted` adds how many nodes its further groups have.

    :raises NotFound: there is none that the caller may see.
    :raises Conflict: more than one bears the name.
    """
    bays = Bay.objects.select_related("baymodel").called(ident)
    if counted:
        bays = bays.counted()
    if not (by.is_admin and _is_id(ident)):
        bays = bays.of_project(by.project)
    return _only(list(bays[:2]), "bay", ident)


def find_baymodel(by: Caller, ident: str, *, own: bool = False) -> BayModel:
    """Return the baymodel with this id or name; `own` leaves out other projects' published ones.

    :raises NotFound: there is none that the caller may see (or change).
    :raises Conflict: more than one bears the name.
    """
    return _only(list(_baymodels(by, ident, own=own)[:2]), "baymodel", ident)


def _baymodels(by: Caller, ident: str, *, own: bool = False) -> BayModelQuerySet:
    models = BayModel.objects.called(ident)
    if not (by.is_admin and _is_id(ident)):
        models = models.filter(project_id=by.project) if own else models.visible_to(by.project)
    return models


def _baymodel_lately(by: Caller, ident: str) -> BayModel:
    """Return the baymodel as of CATALOG_CACHE seconds ago at most: for who accepts nothing unless it is `unchanged`.

    One that is called by its name is looked up each time: another may bear it by now.
    """
    look = partial(_baymodel_for, _baymodels(by, ident)[:2], ident)
    return _models.asked((by.project, by.is_admin, ident), look) if _is_id(ident) else look()


def _baymodel_for(found: Iterable[BayModel], ident: str) -> BayModel:
    """Return the baymodel for a new bay; an unknown one is the request's fault, hence no 404."""
    try:
        return _only(list(found), "baymodel", ident)
    except NotFound as unknown:
        raise BadRequest(unknown.message) from unknown


def baymodel_kept(by: Caller, ident: str) -> BayModel:
    """Return the baymodel with this id or name, which until the end of the transaction stays as it is.

    :raises NotFound: there is none that the caller may see.
    :raises Conflict: more than one bears the name.
    """
    return _only(list(_baymodels(by, ident)[:2].kept()), "baymodel", ident)


def _only(found: list[M], kind: str, ident: str) -> M:
    if not found:
        raise NotFound(f"The {kind} {ident[:255]} could not be found.")
    if len(found) > 1:
        raise Conflict(f"More than one {kind} is named {ident}; use the id.")
    return found[0]


def _is_id(ident: str) -> bool:
    try:
        return bool(uuid.UUID(ident))
    except ValueError:
        return False


def create_baymodel(by: Caller, values: Mapping[str, Any]) -> BayModel:
    """Insert a baymodel.

    :raises BadRequest: no driver serves its kind of bay, or the driver knows no such image or flavor.
    :raises Forbidden: publishing needs the policy's leave.
    """
    model = BayModel(**values, project_id=by.project, user_id=by.user_id)
    model.name = model.name or _made_up_name("baymodel")
    _check_model(by, model, values, publish=model.public or model.hidden)
    model.save(force_insert=True)
    return model


def update_baymodel(
    by: Caller, model: BayModel, changes: Mapping[str, Any], *, expected: Expected = ANY
) -> BayModel:
    """Change a baymodel. What bays are made of does not change under bays that were made of it.

    :raises BadRequest: no driver serves its kind of bay, or the driver does not know what is named anew.
    :raises Conflict: bays refer to it, and more than its name or visibility would change.
    :raises PreconditionFailed: the baymodel is not as expected.
    """
    for name, value in changes.items():
        setattr(model, name, value)
    _check_model(by, model, changes, publish=not {"public", "hidden"}.isdisjoint(changes))
    with transaction.atomic():
        locked = BayModel.objects.select_for_update().filter(pk=model.pk).first()
        if locked is None:
            raise NotFound(f"The baymodel {model.pk} could not be found.")
        expected.check(locked)
        if set(changes) - {"name", "public", "hidden", "tags"} and locked.bays.exists():
            raise Conflict(
                f"The baymodel {model.name} is referenced by bays: only its name, tags and visibility can change."
            )
        model.updated_at = Now()
        model.save(update_fields=[*changes, "updated_at"])
    model.refresh_from_db()
    return model


def delete_baymodel(model: BayModel, *, expected: Expected = ANY) -> None:
    """Delete a baymodel.

    :raises Conflict: bays refer to it. The foreign key sees to it, a bay born at this moment included.
    :raises PreconditionFailed: the baymodel is not as expected.
    """
    try:
        with transaction.atomic():
            expected.lock(model)
            model.delete()
    except (ProtectedError, IntegrityError) as referenced:
        raise Conflict(f"The baymodel {model.name} is referenced by bays: delete them first.") from referenced


def _bay_of(by: Caller, model: BayModel, wish: Wish) -> Bay:
    def either(wished: Any, given: Any) -> Any:
        return given if wished is None else wished

    # An empty object is no labels of its own, as in Magnum.
    labels = {**model.labels, **(wish.labels or {})} if wish.merge_labels else wish.labels or model.labels
    bay_id = lending.new_id(by)
    return Bay(
        id=bay_id,
        **lending.columns(by, bay_id),
        project_id=by.project,
        user_id=by.user_id,
        baymodel=model,
        name=wish.name or _made_up_name("cluster"),
        node_count=wish.node_count,
        master_count=wish.master_count,
        labels=labels,
        keypair=either(wish.keypair, model.keypair_id),
        flavor_id=either(wish.flavor_id, model.flavor_id),
        master_flavor_id=either(wish.master_flavor_id, model.master_flavor_id),
        docker_volume_size=either(wish.docker_volume_size, model.docker_volume_size),
        fixed_network=either(wish.fixed_network, model.fixed_network),
        fixed_subnet=either(wish.fixed_subnet, model.fixed_subnet),
        floating_ip_enabled=either(wish.floating_ip_enabled, model.floating_ip_enabled),
        master_lb_enabled=either(wish.master_lb_enabled, model.master_lb_enabled),
        create_timeout=wish.create_timeout,
        discovery_url=wish.discovery_url,
    )


def check(spec: BaySpec) -> None:
    """Refuse what the driver cannot give.

    :raises BadRequest: a field is wrong for it, or there is no driver.
    """
    try:
        driver_for(spec.coe, spec.server_type).check(spec)
    except InvalidSpec as invalid:
        raise BadRequest(f"{invalid.field}: {invalid.reason}") from invalid
    except NoDriver as none:
        raise BadRequest(str(none)) from none


def _check_model(by: Caller, model: BayModel, given: Mapping[str, Any], *, publish: bool) -> None:
    if publish:
        policy.enforce(by, "baymodel:publish")
    try:
        driver_for(model.coe, model.server_type).check(spec_of(_bay_of(by, model, Wish(model.name))))
    except NoDriver as none:
        raise BadRequest(str(none)) from none
    except InvalidSpec as invalid:
        # What is missing, or set by labels, a bay may still give; what is named here must be there.
        if invalid.field in NAMED and given.get(invalid.field):
            raise BadRequest(f"{invalid.field}: {invalid.reason}") from invalid


def _made_up_name(kind: str) -> str:
    return f"{random.choice(GREEK)}-{random.randint(1, 99)}-{kind}"  # noqa: S311 - no secret
