"""The operator's pages of volumes: what there is, who works on it, why it failed, and the buttons."""

from volumes.admin import messages, pools, quotas, services, snapshots, types, uses, volumes

__all__ = ["messages", "pools", "quotas", "services", "snapshots", "types", "uses", "volumes"]
