"""The reader of a run's failed targets, for a group that is made of them."""

from __future__ import annotations

from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.model.parameters import parameters_from_text
from airflow_provider_elasticjobs.model.targets import FailedTargets, Target

__all__ = ["failed_targets"]

_STEPS = Batch(
    """
SELECT e.step_id, s.step_name
FROM jobs_internal.executions AS e
LEFT JOIN jobs_internal.job_steps AS s
    ON s.job_id = e.job_id AND s.job_version = e.job_version AND s.step_id = e.step_id
WHERE e.job_execution_id = @run AND (e.step_id IS NULL OR e.target_type = 'TargetGroup')
ORDER BY e.step_id;
""",
    run="uniqueidentifier",
)

#: As in the counting of a step, only the targets of its latest round belong to it.
_TARGETS = Batch(
    """
SELECT t.target_server_name, t.target_database_name, t.target_elastic_pool_name, t.conn_id, t.parameters
FROM jobs_internal.executions AS t
INNER JOIN jobs_internal.executions AS s
    ON s.job_execution_id = t.job_execution_id AND s.step_id = t.step_id AND s.target_type = 'TargetGroup'
WHERE t.job_execution_id = @run AND (@step = 0 OR t.step_id = @step) AND t.target_type = 'SqlDatabase'
    AND t.round = s.round AND t.lifecycle IN (SELECT v.lifecycle FROM ({rows}) AS v (lifecycle))
ORDER BY t.step_id, t.target_ordinal, t.execution_id;
""",
    rows=("nvarchar(50)",),
    run="uniqueidentifier",
    step="int",
)


def failed_targets(db: JobDatabase, member: FailedTargets) -> list[Target]:
    """Return the databases on which a run's scripts failed, each once, as its first failed step ran on it.

    :param db: the job database.
    :param member: the run and what counts as failed, its templates rendered.
    :raises DefinitionError: if the id is none, the run is not in the job database, or it has no such step.
    """
    try:
        run = UUID(member.job_execution_id)
    except ValueError:
        raise DefinitionError(f"{member.job_execution_id!r} is not a job_execution_id, like {UUID(int=0)}") from None
    rows = db.run(_STEPS, run=run)
    if not rows:
        raise DefinitionError(f"there is no run {run} in the job database: it never was, or its history was purged")
    steps = {row.step_id: row.step_name for row in rows if row.step_id is not None}
    ends = [(lifecycle,) for lifecycle in member.lifecycles]
    found: dict[tuple[str, str], Target] = {}
    for row in db.run(_TARGETS, ends, run=run, step=_step_id(member.step, steps, run)):
        server, database, pool, conn_id, parameters = row
        target = Target(server, database, pool, conn_id, parameters_from_text(parameters))
        found.setdefault(target.key, target)
    return list(found.values())


def _step_id(step: int | str | None, steps: dict[int, str], run: UUID) -> int:
    """Return the id of a step that is given by id or name; 0 for all."""
    if step is None:
        return 0
    for step_id, name in steps.items():
        if step == step_id or (isinstance(step, str) and step.casefold() == name.casefold()):
            return step_id
    known = ", ".join(f"{step_id} ({name})" for step_id, name in steps.items()) or "no step that has begun"
    raise DefinitionError(f"run {run} has no step {step!r}; it has {known}")
