"""What a user may ask of volumes."""

from volumes.actions.volumes.changing import (
    extend,
    find_again,
    retype,
    revert,
    set_bootable,
    set_readonly,
    update,
)
from volumes.actions.volumes.creating import LARGEST, Wish, create
from volumes.actions.volumes.ending import delete, reset

__all__ = [
    "LARGEST",
    "Wish",
    "create",
    "delete",
    "extend",
    "find_again",
    "reset",
    "retype",
    "revert",
    "set_bootable",
    "set_readonly",
    "update",
]
