"""What a long history is asked by."""

from __future__ import annotations

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase

#: Key columns by name. Some engines add to the names.
INDEXES = {
    "IX_executions_run": ["job_execution_id", "step_id", "target_type", "is_active", "round", "lifecycle"],
    "IX_executions_job": ["job_id", "create_time"],
    "IX_executions_places": ["job_execution_id", "step_id", "target_type", "target_server_name"],
    "IX_executions_rollout": ["job_execution_id", "step_id", "lifecycle"],
    "IX_executions_active": ["agent_id", "job_execution_id"],
    "IX_executions_runs": ["job_id", "create_time"],
    "IX_executions_failed": ["job_id", "create_time"],
    "IX_executions_database": ["target_database_name", "create_time"],
    "IX_executions_settled": ["settled_by"],
}

_KEYS = Batch(
    """
SELECT i.name AS index_name, c.name AS column_name
FROM sys.indexes AS i
INNER JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = i.index_id
INNER JOIN sys.columns AS c ON c.object_id = x.object_id AND c.column_id = x.column_id
WHERE i.object_id = OBJECT_ID('jobs_internal.executions') AND i.name LIKE 'IX%' AND x.is_included_column = 0
ORDER BY i.name, x.key_ordinal;
"""
)


def test_each_index_has_its_keys(db: JobDatabase) -> None:
    found: dict[str, list[str]] = {}
    for row in db.run(_KEYS):
        found.setdefault(row.index_name.lower(), []).append(row.column_name)
    # The longest name first: that of one index begins with that of another.
    named = {
        actual: max((name for name in INDEXES if actual.startswith(name.lower())), key=len, default=actual)
        for actual in found
    }
    assert {named[actual]: columns for actual, columns in found.items()} == INDEXES
