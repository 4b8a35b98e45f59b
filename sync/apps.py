from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SyncConfig(AppConfig):
    name = "sync"

    def ready(self) -> None:
        from sync.schedule import seed  # noqa: PLC0415 - models are ready only now

        post_migrate.connect(seed, sender=self)
