"""POST /volumes/{id}/action: the older protocol of attaching, as a part of the table of a volume's actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from api.problems import Unavailable
from identity.callers import Caller
from volumes import waiting
from volumes.actions import detaching, older_attach
from volumes.actions.connections import host_of
from volumes.documents.stored import CONNECTED
from volumes.models import Connection, Volume
from volumes.serializers.attachments import AttachInput, ConnectInput, DetachInput, ForceDetachInput
from volumes.states import DISCONNECTING, ERROR_DISCONNECTING
from volumes.views.acting import Action, ActionView, Values

View = ActionView[Volume]


def _plain(step: Callable[[Caller, str, Volume], None]) -> Callable[[View, Volume, Values], None]:
    """Return the call of a step that takes nothing but its volume."""

    def call(view: View, volume: Volume, values: Values) -> None:
        del values
        step(view.caller, view.request_id, volume)

    return call


def _attach(view: View, volume: Volume, values: Values) -> None:
    older_attach.attach(
        view.caller,
        view.request_id,
        volume,
        instance=values.get("instance_uuid"),
        host=values.get("host_name"),
        mountpoint=values["mountpoint"],
        mode=values["mode"],
    )


def _detach(view: View, volume: Volume, values: Values) -> None:
    detaching.detach(view.caller, view.request_id, volume, values.get("attachment_id"))


def _force_detach(view: View, volume: Volume, values: Values) -> None:
    host = (values.get("connector") or {}).get("host")
    detaching.detach(view.caller, view.request_id, volume, values.get("attachment_id"), force=True, host=host)


def _let_go(view: View, ident: str, values: Values) -> None:
    """Await the end of the connections that were left. It was accepted: if it takes longer, it goes on alone."""
    del view, values
    with suppress(Unavailable):
        ending = Connection.objects.filter(status__in=(DISCONNECTING, ERROR_DISCONNECTING))
        waiting.disconnected(ending.filter(volume__pk=ident))


def _initialize(view: View, volume: Volume, values: Values) -> None:
    older_attach.initialize_connection(view.caller, view.request_id, volume, values["connector"])


def _connected(view: View, ident: str, values: Values) -> Mapping[str, Any]:
    """Await the host's connection and return how it reaches the volume.

    :raises NotFound: it was given to another project meanwhile.
    """
    way = waiting.connected(Connection.objects.filter(volume__pk=ident, host=host_of(values["connector"])))
    view.find(ident)
    return {"connection_info": way.info}


def _terminate(view: View, volume: Volume, values: Values) -> None:
    older_attach.terminate_connection(view.caller, view.request_id, volume, values["connector"])


ACTIONS: Final[Mapping[str, Action[Volume]]] = {
    "os-reserve": Action("volume:reserve", _plain(older_attach.reserve)),
    "os-unreserve": Action("volume:reserve", _plain(older_attach.unreserve)),
    "os-begin_detaching": Action("volume:detach", _plain(older_attach.begin_detaching)),
    "os-roll_detaching": Action("volume:detach", _plain(older_attach.roll_detaching)),
    "os-attach": Action("volume:attach", _attach, AttachInput),
    "os-detach": Action("volume:detach", _detach, DetachInput, finish=_let_go),
    "os-force_detach": Action("volume:force_detach", _force_detach, ForceDetachInput, finish=_let_go),
    "os-initialize_connection": Action(
        "volume:connect", _initialize, ConnectInput, status=200, finish=_connected, answers=CONNECTED
    ),
    "os-terminate_connection": Action("volume:connect", _terminate, ConnectInput, finish=_let_go),
}
