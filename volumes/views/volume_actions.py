"""POST /volumes/{id}/action: what is done to the volume itself. Attaching and detaching are in `attach_actions`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction

from api.problems import BadRequest, NotFound
from volumes.actions import volumes as actions
from volumes.actions.detaching import reset_attach_status
from volumes.actions.guarding import find_volume
from volumes.documents.stored import ITEMS
from volumes.models import Volume
from volumes.serializers.volume_actions import (
    BootableInput,
    ExtendInput,
    ReadonlyInput,
    ResetInput,
    RetypeInput,
    RevertInput,
)
from volumes.views import attach_actions
from volumes.views.acting import Action, ActionView, Values, described, not_offered

View = ActionView[Volume]
EXTEND_IN_USE: Final = 42  # minor version
NO_MIGRATION: Final = "none"
DETACHED: Final = "detached"
NO_IMAGES: Final = "There is no image service here."


def _extend(view: View, volume: Volume, values: Values) -> None:
    in_use = view.at_least(EXTEND_IN_USE)
    actions.extend(view.caller, view.request_id, volume, values["new_size"], in_use=in_use)


def _retype(view: View, volume: Volume, values: Values) -> None:
    policy = values.get("migration_policy") or "never"
    actions.retype(view.caller, view.request_id, volume, values["new_type"], policy)


def _revert(view: View, volume: Volume, values: Values) -> None:
    actions.revert(view.caller, view.request_id, volume, values["snapshot_id"])


def _set_readonly(view: View, volume: Volume, values: Values) -> None:
    actions.set_readonly(view.caller, view.request_id, volume, readonly=values["readonly"])


def _set_bootable(view: View, volume: Volume, values: Values) -> None:
    actions.set_bootable(view.caller, view.request_id, volume, bootable=values["bootable"])


def _force_delete(view: View, volume: Volume, values: Values) -> None:
    del values
    actions.delete(view.caller, view.request_id, volume, force=True)


def _reset(view: View, volume: Volume, values: Values) -> None:
    """Set the status. Of the other two, `migration_status` can only be said as it is."""
    attach_status, migration = values.get("attach_status"), values.get("migration_status")
    if migration is not None and migration.lower() != NO_MIGRATION:
        raise BadRequest("Volumes are not migrated here: migration_status can only be none.")
    with transaction.atomic():
        if attach_status is not None and not (attach_status == DETACHED and not volume.attachments.exists()):
            reset_attach_status(view.caller, view.request_id, volume, attach_status)
        if values.get("status"):
            actions.reset(view.caller, view.request_id, volume, values["status"], values.get("reason", ""))


def _show_image_metadata(view: View, volume: Volume, values: Values) -> Mapping[str, Any]:
    del view, volume, values
    return {"metadata": {}}


def _unset_image_metadata(view: View, volume: Volume, values: Values) -> None:
    del view, volume, values
    raise NotFound("The volume has no image metadata.")


ACTIONS: Final[Mapping[str, Action[Volume]]] = {
    **attach_actions.ACTIONS,
    "os-extend": Action("volume:extend", _extend, ExtendInput, dry_run=True),
    "os-retype": Action("volume:retype", _retype, RetypeInput, dry_run=True),
    "revert": Action("volume:revert", _revert, RevertInput, since=40, dry_run=True),
    "os-update_readonly_flag": Action("volume:update", _set_readonly, ReadonlyInput),
    "os-set_bootable": Action("volume:update", _set_bootable, BootableInput, status=200),
    "os-reset_status": Action("volume:reset", _reset, ResetInput),
    "os-show_image_metadata": Action("volume:get", _show_image_metadata, status=200, answers=ITEMS),
    "os-force_delete": Action("volume:force_delete", _force_delete, dry_run=True),
    "os-set_image_metadata": not_offered("Volumes keep no image metadata here.", "volume:update"),
    "os-unset_image_metadata": Action("volume:update", _unset_image_metadata),
    "os-volume_upload_image": not_offered(NO_IMAGES, "volume:upload_image"),
    "os-reimage": not_offered(NO_IMAGES, "volume:upload_image"),
    "os-migrate_volume": not_offered("Volumes are not migrated here.", "volume:migrate"),
    "os-migrate_volume_completion": not_offered("Volumes are not migrated here.", "volume:migrate"),
    "os-extend_volume_completion": not_offered(
        "No extension waits for its completion here.", "volume:migrate"
    ),
    "os-unmanage": not_offered("Volumes cannot be left to themselves here.", "volume:migrate"),
}


class VolumeActions(ActionView[Volume]):
    policy = {"POST": "volume:get"}
    described = {"POST": described(ACTIONS)}
    actions = ACTIONS

    def find(self, ident: str) -> Volume:
        return find_volume(self.caller, ident)
