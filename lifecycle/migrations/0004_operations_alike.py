from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    atomic = False  # nobody waits for the index

    dependencies = [("lifecycle", "0003_events_in_turn")]

    operations = [
        migrations.AddField(
            "operation", "alike", models.CharField(blank=True, db_default="", default="", max_length=255)
        ),
        AddIndexConcurrently(
            "operation",
            models.Index(
                fields=["resource_type", "action", "alike", "-finished_at"],
                name="operation_alike",
                condition=Q(state="COMPLETE", alike__gt=""),
            ),
        ),
    ]
