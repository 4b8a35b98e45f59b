"""Events get their turn and their project. The table may be large: nothing here locks it for longer than a moment.

Each part may be run again where the migration was stopped half-way.
"""

import django.db.models.functions.comparison
from django.db import migrations, models

BATCH = 10_000

# A constant default is not written to the rows that are there; what the default is from then on is another statement.
COLUMNS = """
ALTER TABLE lifecycle_event
    ADD COLUMN IF NOT EXISTS turn bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS project_id varchar(64) NULL;
ALTER TABLE lifecycle_event ALTER COLUMN turn SET DEFAULT (pg_current_xact_id()::text::bigint);
"""
NO_COLUMNS = "ALTER TABLE lifecycle_event DROP COLUMN turn, DROP COLUMN project_id"

# In PL/pgSQL, and volatile, for its sake: each statement of such a function sees what is committed by then. That of the
# caller saw the time before it waited for the row.
FUNCTION = """
CREATE OR REPLACE FUNCTION lifecycle_turn(resource uuid) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN GREATEST(
        pg_current_xact_id()::text::bigint,
        (SELECT turn FROM lifecycle_event WHERE resource_id = resource ORDER BY id DESC LIMIT 1)
    );
END $$
"""

INDEXES = {
    "event_by_project": "(project_id, resource_type, turn, id)",
    "event_in_turn": "(resource_type, turn, id)",
}


def give_projects(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(min(id), 0), coalesce(max(id), 0) FROM lifecycle_event")
        ((first, last),) = cursor.fetchall()
        for after in range(first - 1, last, BATCH):
            cursor.execute(
                "UPDATE lifecycle_event SET project_id = lifecycle_operation.project_id FROM lifecycle_operation "
                "WHERE lifecycle_event.id > %s AND lifecycle_event.id <= %s AND lifecycle_event.project_id IS NULL "
                "AND lifecycle_operation.id = lifecycle_event.operation_id",
                [after, after + BATCH],
            )


def make_indexes(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")  # it waits for all transactions that are older than it
        try:
            for name, columns in INDEXES.items():
                cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # an earlier run may have broken off
                cursor.execute(f"CREATE INDEX CONCURRENTLY {name} ON lifecycle_event {columns}")
        finally:
            cursor.execute("RESET lock_timeout")


def drop_indexes(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for name in INDEXES:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('lifecycle', '0002_node_serves'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(COLUMNS, NO_COLUMNS),
                migrations.RunSQL(FUNCTION, "DROP FUNCTION lifecycle_turn(uuid)"),
            ],
            [
                migrations.AddField(
                    model_name='event',
                    name='turn',
                    field=models.BigIntegerField(db_default=django.db.models.functions.comparison.Cast(django.db.models.functions.comparison.Cast(models.Func(function='pg_current_xact_id'), models.TextField()), models.BigIntegerField())),
                ),
                migrations.AddField(
                    model_name='event',
                    name='project_id',
                    field=models.CharField(max_length=64, null=True),
                ),
            ],
        ),
        migrations.RunPython(give_projects, migrations.RunPython.noop),
        migrations.SeparateDatabaseAndState(
            [migrations.RunPython(make_indexes, drop_indexes)],
            [
                migrations.AddIndex(
                    model_name='event',
                    index=models.Index(fields=['project_id', 'resource_type', 'turn', 'id'], name='event_by_project'),
                ),
                migrations.AddIndex(
                    model_name='event',
                    index=models.Index(fields=['resource_type', 'turn', 'id'], name='event_in_turn'),
                ),
            ],
        ),
    ]
