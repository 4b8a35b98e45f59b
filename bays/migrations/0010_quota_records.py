"""A quota is told by a number, as Magnum's is, and from when its limit is."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("bays", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE bays_quota_number",
            "DROP SEQUENCE bays_quota_number",
        ),
        migrations.AddField(
            model_name="quota",
            name="number",
            field=models.BigIntegerField(
                db_default=models.Func(
                    models.Value("bays_quota_number"),
                    function="nextval",
                    output_field=models.BigIntegerField(),
                ),
                editable=False,
                unique=True,
            ),
        ),
        migrations.AddField(
            model_name="quota",
            name="created_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="quota",
            name="updated_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
