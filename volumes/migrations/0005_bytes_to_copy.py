from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("volumes", "0004_may_grow_to")]

    operations = [
        migrations.AddField("volume", "to_copy", models.BigIntegerField(blank=True, null=True)),
        migrations.AddField("snapshot", "copied", models.BigIntegerField(db_default=0)),
        migrations.AddField("snapshot", "to_copy", models.BigIntegerField(blank=True, null=True)),
    ]
