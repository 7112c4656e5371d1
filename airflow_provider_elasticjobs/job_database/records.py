"""What the writer takes and gives: plain values, safe to pickle."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from airflow_provider_elasticjobs.model.identifiers import target_execution_id
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import Target

__all__ = [
    "Agent",
    "AirflowRef",
    "AlreadyFinished",
    "AttemptMessage",
    "AttemptStart",
    "Claim",
    "Leftover",
    "LostScript",
    "RegisteredJob",
    "RegisteredTarget",
    "Settled",
    "StepStart",
    "step_execution_id",
]


def step_execution_id(job_execution_id: UUID, step_id: int) -> UUID:
    """Return the id of a step's own row in one run."""
    return target_execution_id(job_execution_id, step_id, "", "")


@dataclass(frozen=True)
class AirflowRef:
    """Where in Airflow a row is worked on.

    :param dag_id: the DAG.
    :param run_id: the DAG run.
    :param task_id: the task.
    :param map_index: the mapped task's index, -1 for one that is not mapped.
    :param try_number: the task instance's try, from 1.
    :param clear_number: a number that grows when this task is cleared, and only then: ``ti.max_tries - task.retries``.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    try_number: int = 1
    clear_number: int = 0


@dataclass(frozen=True)
class Agent:
    """One process that runs scripts; its heartbeat is the lease of all its claims.

    :param agent_id: a new id for each process.
    :param host_name: where it runs.
    :param process_id: its process id there.
    """

    agent_id: UUID
    host_name: str
    process_id: int


@dataclass(frozen=True)
class RegisteredJob:
    """A job as the job database knows it: its id, and the version that a run starting now executes."""

    job_id: UUID
    job_version: int


@dataclass(frozen=True)
class StepStart:
    """A step that its resolver has begun.

    :param job_execution_id: the run.
    :param step_id: the step.
    :param claim_id: what the resolver's further writes are checked against.
    :param lifecycle: of the step's row: ``InProgress`` if there is something to do; another if it has ended already;
        None if there is no row, because the run was asked to stop before the step began.
    :param job_cancelled: whether the run was asked to stop.
    :param job_version: the version that the run is pinned to.
    :param step_name: the step's name in that version.
    :param target_group_name: the step's group.
    :param attempts: how often its targets were resolved, this time included.
    :param last_message: the row's message.
    """

    job_execution_id: UUID
    step_id: int
    claim_id: UUID
    lifecycle: Lifecycle | None
    job_cancelled: bool
    job_version: int
    step_name: str
    target_group_name: str
    attempts: int
    last_message: str | None

    @property
    def is_begun(self) -> bool:
        """Whether the caller is to resolve and register the targets now."""
        return self.lifecycle is Lifecycle.IN_PROGRESS


@dataclass(frozen=True)
class RegisteredTarget:
    """A target with the id of its row, and its wave, from 1, in a step with a rollout."""

    execution_id: UUID
    target: Target
    wave: int | None = None


@dataclass(frozen=True)
class Claim:
    """The right to write one target's row, until somebody claims it after.

    :param claim_id: what each write is checked against.
    :param lost_attempt: whether an attempt of an earlier claim was lost with its process and nobody has reckoned with
        it since; its outcome is unknown, and its script may still run on the server.
    :param attempts: attempts begun so far; the next one is ``attempts + 1``.
    :param work_id: of this pass of the row from ``Created`` to its end, which several claims may share.
    :param elapsed_seconds: since the first attempt of this pass began; 0 if none has.
    :param max_parallelism: the step's cap for each elastic pool, in the version of this run.
    :param max_parallelism_per_server: the step's cap for each server.
    :param target_ordinal: the target's place in the step's order, from 1.
    :param wave: the target's wave, from 1; None in a step without a rollout.
    :param target: the database, with the connection that its member named, if any.
    """

    execution_id: UUID
    claim_id: UUID
    job_execution_id: UUID
    job_execution_create_time: datetime
    job_id: UUID
    job_name: str
    job_version: int
    step_id: int
    step_name: str
    target_group_name: str
    target: Target
    attempts: int
    lost_attempt: bool
    work_id: UUID
    elapsed_seconds: int = 0
    max_parallelism: int | None = None
    max_parallelism_per_server: int | None = None
    target_ordinal: int = 0
    wave: int | None = None

    @property
    def needs_place(self) -> bool:
        """Whether an attempt has to be given a place in its elastic pool, or on its server, before it begins."""
        in_capped_pool = self.max_parallelism is not None and bool(self.target.elastic_pool_name)
        return in_capped_pool or self.max_parallelism_per_server is not None

    @property
    def is_plain(self) -> bool:
        """Whether nobody waits for the row's end or counts it: it needs no place and is in no rollout."""
        return not self.needs_place and self.wave is None


@dataclass(frozen=True)
class AlreadyFinished:
    """A target's row that had ended before the caller came: there is nothing to do but to report it."""

    lifecycle: Lifecycle
    message: str | None
    error_number: int | None = None


@dataclass(frozen=True)
class AttemptStart:
    """Whether an attempt may run now.

    :param begun: the row says ``InProgress`` with this attempt; if not, the script must not be run.
    :param cancelled: the run was asked to stop.
    :param waiting_cause: what the attempt has to wait for before it may begin; None if it is not a matter of waiting.
    :param wait_seconds: how long it has to wait at least; None if that is not known.
    :param ended: what the row ended with before the attempt could begin, because the rollout was stopped.
    """

    begun: bool
    cancelled: bool
    waiting_cause: str | None = None
    wait_seconds: float | None = None
    ended: AlreadyFinished | None = None


@dataclass(frozen=True)
class AttemptMessage:
    """One thing that a script said during an attempt, in its order.

    :param kind: ``message``, ``error``, ``row count``, ``result set``, or ``left out`` for those that were not kept.
    :param text: at most 4,000 characters.
    :param number: the engine's number: 0 for ``PRINT``, 50000 for ``RAISERROR`` with text.
    :param severity: 0 to 25 as the engine gave it.
    :param state: as the engine gave it.
    :param line: line of the script, or of the procedure, from 1.
    :param procedure: the procedure that said it.
    :param rows: rows changed, rows of the result set, or messages left out.
    """

    kind: str
    text: str
    number: int | None = None
    severity: int | None = None
    state: int | None = None
    line: int | None = None
    procedure: str | None = None
    rows: int | None = None


@dataclass(frozen=True)
class Settled:
    """What a finishing write did.

    :param written: whether the row holds what was asked; False if the claim was lost.
    :param lifecycle: the row's lifecycle now.
    :param step_lifecycle: the step's lifecycle, if this write settled the step.
    :param job_lifecycle: the job's lifecycle, if this write settled the job.
    :param rollout_stopped: whether this failure was one too many, so that nothing further of the step begins.
    """

    written: bool
    lifecycle: Lifecycle | None = None
    step_lifecycle: Lifecycle | None = None
    job_lifecycle: Lifecycle | None = None
    rollout_stopped: bool = False


@dataclass(frozen=True)
class Leftover:
    """A row that a lost process had left active, and that was settled for it."""

    execution_id: UUID
    job_execution_id: UUID
    step_id: int
    server_name: str | None
    database_name: str | None
    lifecycle: Lifecycle

    @property
    def label(self) -> str:
        """``server/database`` of a target, ``step n`` for a step whose targets were being evaluated."""
        return f"{self.server_name}/{self.database_name}" if self.database_name else f"step {self.step_id}"


@dataclass(frozen=True)
class LostScript:
    """A script whose process is lost: its row is in progress, and the server may still run it.

    :param claim_id: of the lost process; a row that was taken over since has another.
    :param target: the database, with the connection of its member or else of its step, if one named any.
    """

    execution_id: UUID
    claim_id: UUID
    job_execution_id: UUID
    job_id: UUID
    step_id: int
    step_name: str
    target: Target
