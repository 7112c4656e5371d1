"""Runs of small jobs, for tests that are about one of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.job_database.executions import begin_attempt, finish_target
from airflow_provider_elasticjobs.job_database.records import (
    Agent,
    AirflowRef,
    AlreadyFinished,
    Claim,
    RegisteredTarget,
    Settled,
    StepStart,
)
from airflow_provider_elasticjobs.job_database.registering import register_targets
from airflow_provider_elasticjobs.job_database.steps import start_step
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.targets import SqlServer, Target, TargetGroup

SERVER = "tenants.database.windows.net"

OUTCOMES = {
    Lifecycle.SUCCEEDED: Outcome.SUCCEEDED,
    Lifecycle.FAILED: Outcome.FAILED,
    Lifecycle.TIMED_OUT: Outcome.TIMED_OUT,
    Lifecycle.CANCELED: Outcome.CANCELLED,
    Lifecycle.SKIPPED: Outcome.SKIPPED,
}


def new_job(*commands: str, name: str | None = None, **options: Any) -> Job:
    """Return a job of its own, with one step for each command, all on one group."""
    name = name or f"job {uuid4().hex[:8]}"
    group = TargetGroup(f"group of {name}", [SqlServer(SERVER)])
    steps = [JobStep(f"step{number}", group, command) for number, command in enumerate(commands or ("SELECT 1;",), 1)]
    return Job(name, steps, **options)


def databases(count: int, prefix: str = "db") -> list[Target]:
    """Return ``count`` targets on one server."""
    return [Target(SERVER, f"{prefix}{number}") for number in range(1, count + 1)]


class Run:
    """One run of a job, and the Airflow tasks that work on it."""

    def __init__(self, db: JobDatabase, job: Job | None = None) -> None:
        self.db = db
        self.job = job or new_job()
        self.registered = register_job(db, self.job)
        self.id = uuid4()

    def airflow(self, map_index: int = -1, *, try_number: int = 1, clear_number: int = 0) -> AirflowRef:
        task = "resolve" if map_index < 0 else "run"
        return AirflowRef("dag", f"run {self.id}", task, map_index, try_number, clear_number)

    def start(
        self, step_id: int = 1, *, try_number: int = 1, clear_number: int = 0, agent: Agent | None = None
    ) -> StepStart:
        return start_step(
            self.db,
            job_execution_id=self.id,
            registered=self.registered,
            step_id=step_id,
            airflow=self.airflow(try_number=try_number, clear_number=clear_number),
            agent=agent,
        )

    def begin(self, targets: int | Sequence[Target] = 2, step_id: int = 1, **options: Any) -> list[RegisteredTarget]:
        """Start a step, and register its targets."""
        wanted = databases(targets) if isinstance(targets, int) else targets
        return register_targets(self.db, self.start(step_id, **options), wanted)

    def try_claim(
        self, target: RegisteredTarget, *, agent: Agent | None = None, **options: Any
    ) -> Claim | AlreadyFinished:
        return claim_target(self.db, target.execution_id, self.airflow(0, **options), agent)

    def claim(self, target: RegisteredTarget, **options: Any) -> Claim:
        claim = self.try_claim(target, **options)
        assert isinstance(claim, Claim)
        return claim

    def claim_and_begin(self, target: RegisteredTarget, **options: Any) -> Claim:
        claim = self.claim(target, **options)
        assert begin_attempt(self.db, claim, claim.attempts + 1).begun
        return claim

    def finish(self, claim: Claim, lifecycle: Lifecycle = Lifecycle.SUCCEEDED, message: str | None = None) -> Settled:
        return finish_target(self.db, claim, lifecycle, message, outcome=OUTCOMES[lifecycle])

    def run_target(
        self, target: RegisteredTarget, lifecycle: Lifecycle = Lifecycle.SUCCEEDED, **options: Any
    ) -> Settled:
        return self.finish(self.claim_and_begin(target, **options), lifecycle)

    def row(self, step_id: int | None = None, database: str | None = None) -> Any:
        """Return the one row of the view: the job's, a step's or a target's."""
        rows = self.db.run(_ROW, run=self.id, step=step_id, database=database)
        assert len(rows) == 1
        return rows[0]

    def lifecycles(self, step_id: int = 1) -> tuple[str, str]:
        """Return the lifecycles of the job and of a step."""
        return self.row().lifecycle, self.row(step_id).lifecycle


_ROW = Batch(
    """
SELECT * FROM jobs.job_executions
WHERE job_execution_id = @run
    AND ((@step IS NULL AND step_id IS NULL)
        OR (@database IS NULL AND step_id = @step AND target_type = 'TargetGroup')
        OR (step_id = @step AND target_database_name = @database));
""",
    run="uniqueidentifier",
    step="int",
    database="nvarchar(128)",
)


def new_agent() -> Agent:
    """Return a process that has not shown itself yet."""
    return Agent(uuid4(), "worker-1", 4711)


def internal(db: JobDatabase, execution_id: UUID) -> Any:
    """Return a row of the internal table."""
    sql = "SELECT * FROM jobs_internal.executions WHERE execution_id = @id;"
    return db.run(Batch(sql, id="uniqueidentifier"), id=execution_id)[0]
