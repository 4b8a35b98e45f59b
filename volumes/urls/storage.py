"""Routes of discovery, volumes, snapshots, messages and operations."""

from __future__ import annotations

from django.urls import re_path

from volumes.urls.routing import ONE, route
from volumes.views.discovery import Version3, Versions
from volumes.views.events import Events
from volumes.views.messages import MessageDetail, Messages
from volumes.views.metadata import AllMetadata, AllSnapshotMetadata, OneMetadatum, OneSnapshotMetadatum
from volumes.views.operations import OperationDetail, Operations
from volumes.views.snapshots import SnapshotActions, SnapshotDetail, Snapshots, SnapshotsInDetail
from volumes.views.volume_actions import VolumeActions
from volumes.views.volumes import EncryptionOfVolume, Summary, VolumeDetail, Volumes, VolumesInDetail

KEY = r"(?P<key>[^/]+)"
EMPTY = "(?!/)"  # what ends with a slash here lacks its id: Cinder's clients are told that it is not there

urlpatterns = [
    re_path(r"^volume/?\Z", Versions.as_view()),
    re_path(r"^volume/v3/?\Z", Version3.as_view()),
    route(f"volumes{EMPTY}", Volumes),
    route("volumes/detail", VolumesInDetail),
    route("volumes/summary", Summary),
    route(f"volumes/{ONE}", VolumeDetail),
    route(f"volumes/{ONE}/action", VolumeActions),
    route(f"volumes/{ONE}/metadata", AllMetadata),
    route(f"volumes/{ONE}/metadata/{KEY}", OneMetadatum),
    route(f"volumes/{ONE}/encryption", EncryptionOfVolume),
    route(f"snapshots{EMPTY}", Snapshots),
    route("snapshots/detail", SnapshotsInDetail),
    route(f"snapshots/{ONE}", SnapshotDetail),
    route(f"snapshots/{ONE}/action", SnapshotActions),
    route(f"snapshots/{ONE}/metadata", AllSnapshotMetadata),
    route(f"snapshots/{ONE}/metadata/{KEY}", OneSnapshotMetadatum),
    route(f"messages{EMPTY}", Messages),
    route(f"messages/{ONE}", MessageDetail),
    route("events", Events),
    route("operations", Operations),
    route(f"operations/{ONE}", OperationDetail),
]
