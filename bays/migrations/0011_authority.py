"""Certificate authorities of bays. A bay ends by a plain DELETE, which takes its authority along."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("bays", "0010_quota_records"),
    ]

    operations = [
        migrations.CreateModel(
            name="Authority",
            fields=[
                (
                    "bay",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="authority",
                        serialize=False,
                        to="bays.bay",
                    ),
                ),
                ("generation", models.IntegerField(default=1)),
                ("pem", models.TextField()),
                ("sealed_key", models.BinaryField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("updated_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name_plural": "authorities",
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE bays_authority ADD CONSTRAINT authority_ends_with_its_bay "
            "FOREIGN KEY (bay_id) REFERENCES bays_bay (id) ON DELETE CASCADE",
            "ALTER TABLE bays_authority DROP CONSTRAINT authority_ends_with_its_bay",
        ),
    ]
