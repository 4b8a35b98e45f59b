"""Volumes, what they are made of and stored in, who uses them, and what a project may have of them."""

from volumes.models.attachments import Attachment, Connection
from volumes.models.messages import Message
from volumes.models.pools import Pool, ServiceState
from volumes.models.qos import QosSpecs
from volumes.models.quotas import Quota, QuotaClass, TypeQuota
from volumes.models.transfers import Transfer
from volumes.models.types import DefaultType, Encryption, TypeAccess, VolumeType
from volumes.models.volumes import Snapshot, Volume

__all__ = [
    "Attachment",
    "Connection",
    "DefaultType",
    "Encryption",
    "Message",
    "Pool",
    "QosSpecs",
    "Quota",
    "QuotaClass",
    "ServiceState",
    "Snapshot",
    "Transfer",
    "TypeAccess",
    "TypeQuota",
    "Volume",
    "VolumeType",
]
