"""The operator that runs a script on one database of a target group."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from airflow.sdk import BaseOperator
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowFailException, AirflowRescheduleException, AirflowSkipException

from airflow_provider_elasticjobs.execution.chunk_order import ChunkOrder
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.model.chunks import TargetChunk
from airflow_provider_elasticjobs.model.job import DEFAULT_STEP_TIMEOUT, lock_seconds, seconds
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput, output_from_json
from airflow_provider_elasticjobs.model.parameters import read_parameters
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.operators.airflow_context import airflow_ref
from airflow_provider_elasticjobs.operators.mapped_items import read_item
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION, DEFAULT_JOB_DATABASE
from airflow_provider_elasticjobs.triggers.elastic_job import ElasticJobTrigger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_elasticjobs.triggers.target_run import TargetRun

__all__ = ["TARGET_LABEL", "ElasticJobOperator", "as_rollout"]

#: How a target is called in the grid.
TARGET_LABEL = "{{ task.target_label }}"

#: Stands in a chunk's order for its databases, which are read from the job database.
_NO_TARGET = Target("", "")

#: Seconds between two looks at the script's thread, in which signals are answered.
_POLL_SECONDS = 0.2

#: A shorter wait for the target's time is waited for where the script will run.
_SHORT_WAIT_SECONDS = 20.0
#: A target whose run is stopped meanwhile is told at the latest after so long.
_LONGEST_ABSENCE_SECONDS = 300.0


class ElasticJobOperator(BaseOperator):
    """Runs a T-SQL script on one database of a target group, and records it in the job database.

    Used mapped, after a :class:`ResolveTargetGroupOperator`:
    ``ElasticJobOperator.partial(task_id="run", command="sql/step.sql").expand(target=resolve.output)``.
    Retries, time-outs and skips are those of Elastic Jobs and happen inside one run of the task; Airflow's own
    ``retries`` are for lost infrastructure. An item that is a chunk of databases is worked on in one task, which runs
    as many scripts at a time as it takes slots of its pool (``pool_slots``).

    :param command: the T-SQL script, or the path of a ``.sql`` file; a template. ``GO`` separates batches, and
        ``$(job_execution_id)`` and its relatives stand for literals.
    :param target: the database or the chunk of databases, one item of the resolver's list: JSON text, or the mapping
        that it is; a template.
    :param elasticjobs_conn_id: Airflow connection that runs the script, unless the target's member named its own.
    :param job_database_conn_id: Airflow connection of the job database.
    :param retry: when a failed attempt is made again: a :class:`RetryPolicy` or its JSON; default: Elastic Jobs' own.
    :param step_timeout: seconds (or timedelta) that one attempt may take; default 43,200.
    :param max_parallelism: most databases of one elastic pool at a time; None for no limit. The resolver writes it into
        the step's definition, where the run reads it.
    :param max_parallelism_per_server: most databases of one server at a time, in pools or not; None for no limit.
    :param idempotent: whether the script may be run again when it is unknown whether it had committed.
    :param transaction: run all batches in one transaction, whose marker tells whether it committed when the answer is
        lost; see ``JobStep``.
    :param target_timeout: seconds (or timedelta) that all attempts may take together, with their waits; None: no limit.
    :param lock_timeout: seconds (or timedelta) that a statement may wait for a lock (error 1222); None for no limit.
    :param refresh_conn_id: Airflow connection that asks ``master`` whether a database that cannot be opened is gone;
        default: the script's own.
    :param rollout: a budget of failures and a spread of the starts: a :class:`Rollout` or its JSON. The resolver writes
        it into the step's definition. Its waves are other tasks' matter.
    :param parameters: values that the script gets on every target as ``$(name)`` literals: text, numbers, ``bool``,
        ``bytes``, dates and times, ``UUID`` or None; a template. Those of the target's row count before them.
    :param bind_parameters: whether the script gets them as real parameters, ``@name``, too.
    :param trial: ``parse`` (the server parses the script), ``rollback`` (it runs and is rolled back), or ``plan``
        (nothing is sent): the row ends ``Skipped`` and says what was found, or ``Failed``; a template. None runs it.
    :param step_output: where the result goes: a :class:`SqlDatabaseOutput`, a :class:`ParquetOutput` or its JSON, a
        template; None to let it go. (``output`` is Airflow's name for an operator's XCom.)
    :param deferrable: run in the triggerer, without holding a worker; default: ``[elasticjobs] deferrable``, so yes.
    :param map_index_template: what the grid calls the target; default: ``server/database``, or
        ``targets 1-50 of 5000``.
    """

    template_fields: Sequence[str] = (
        "command",
        "target",
        "parameters",
        "elasticjobs_conn_id",
        "job_database_conn_id",
        "trial",
        "step_output",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "command": "tsql",
        "target": "json",
        "parameters": "json",
        "step_output": "json",
    }
    ui_color = "#cfe2f3"

    def __init__(
        self,
        *,
        command: str,
        target: str | Mapping[str, Any],
        elasticjobs_conn_id: str = DEFAULT_CONNECTION,
        job_database_conn_id: str = DEFAULT_JOB_DATABASE,
        retry: RetryPolicy | Mapping[str, Any] | None = None,
        step_timeout: float | timedelta = DEFAULT_STEP_TIMEOUT,
        max_parallelism: int | None = None,
        max_parallelism_per_server: int | None = None,
        idempotent: bool = True,
        transaction: bool = False,
        target_timeout: float | timedelta | None = None,
        lock_timeout: float | timedelta | None = None,
        refresh_conn_id: str | None = None,
        rollout: Rollout | Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        bind_parameters: bool = False,
        trial: str | None = None,
        step_output: SqlDatabaseOutput | ParquetOutput | Mapping[str, Any] | None = None,
        deferrable: bool = conf.getboolean("elasticjobs", "deferrable", fallback=True),
        map_index_template: str | None = TARGET_LABEL,
        **kwargs: Any,
    ) -> None:
        super().__init__(map_index_template=map_index_template, **kwargs)
        self.command = command
        self.target = target
        self.elasticjobs_conn_id = elasticjobs_conn_id
        self.job_database_conn_id = job_database_conn_id
        self.retry = retry
        self.step_timeout = step_timeout
        self.max_parallelism = max_parallelism
        self.max_parallelism_per_server = max_parallelism_per_server
        self.idempotent = idempotent
        self.transaction = transaction
        self.target_timeout = target_timeout
        self.lock_timeout = lock_timeout
        self.refresh_conn_id = refresh_conn_id
        self.rollout = rollout
        self.parameters = parameters
        self.bind_parameters = bind_parameters
        self.trial = trial
        kinds = (SqlDatabaseOutput, ParquetOutput)
        self.step_output = step_output.to_json() if isinstance(step_output, kinds) else step_output
        self.deferrable = deferrable
        self._target_run: TargetRun | None = None

    @property
    def target_label(self) -> str:
        """``server/database``, or ``targets 1-50 of 5000``."""
        item = self._item()
        return str(item["chunk"]) if TargetChunk.is_json(item) else Target.from_json(item).label

    def execute(self, context: Context) -> None:
        """Hand the script to the triggerer, or run it here.

        :raises AirflowFailException: if the target ended in ``Failed``, ``TimedOut`` or ``Canceled``.
        :raises AirflowSkipException: if an earlier execution of this step still runs on the target, or its rollout was
            stopped.
        :raises AirflowRescheduleException: if the start is spread and the target's time has not come: the task comes
            back then, and holds no slot of its pool meanwhile.
        """
        self._come_back_later()
        arguments = self._arguments(context)
        if self.deferrable:
            self.defer(trigger=ElasticJobTrigger(**arguments), method_name=self.execute_complete.__name__)
        from airflow_provider_elasticjobs.triggers.target_run import TargetRun

        self._target_run = TargetRun(**arguments, log=self._say)
        _report(*self._run_in_thread(self._target_run))

    def execute_complete(self, context: Context, event: str | None = None) -> None:  # noqa: ARG002 Airflow's signature
        """Give the trigger's verdict again; only ``dag.test()`` comes here, the triggerer ends the task itself.

        :param event: ``success``, ``failed`` or ``skipped``.
        :raises AirflowFailException: if it is ``failed``.
        :raises AirflowSkipException: if it is ``skipped``.
        """
        verdicts = {"success": Lifecycle.SUCCEEDED, "skipped": Lifecycle.SKIPPED}
        _report(verdicts.get(str(event), Lifecycle.FAILED), "See the trigger's lines above and the job database.")

    def on_kill(self) -> None:
        """Stop the script on the server; its row ends ``Canceled``."""
        if self._target_run is not None:
            self._target_run.cancel()

    def _arguments(self, context: Context) -> dict[str, Any]:
        """Return what a trigger and a run in this process are made of alike: plain JSON."""
        item = self._item()
        chunk = TargetChunk.from_json(item) if TargetChunk.is_json(item) else None
        target = Target.from_json(item) if chunk is None else _NO_TARGET
        retry = self.retry if isinstance(self.retry, RetryPolicy) else RetryPolicy.from_json(self.retry or {})
        owner = f"task {self.task_id!r}"
        trial = Trial.of(self.trial, owner)
        if trial is not None and retry.retry_on == "any":
            # A trial is there to show an error, not to wait until it passes.
            retry = replace(retry, retry_on="transient")
        order = TargetOrder(
            UUID(item["execution_id"]) if chunk is None else chunk.job_execution_id,
            target,
            self.command,
            retry=retry,
            step_timeout=seconds(self.step_timeout, "step_timeout", owner),
            idempotent=self.idempotent,
            parameters=read_parameters(self.parameters, f"task {self.task_id!r}"),
            bind_parameters=self.bind_parameters,
            transaction=self.transaction,
            target_timeout=None
            if self.target_timeout is None
            else seconds(self.target_timeout, "target_timeout", owner),
            lock_timeout=lock_seconds(self.lock_timeout, owner),
            refresh_conn_id=self.refresh_conn_id,
            trial=trial,
            output=self._output(),
        )
        return {
            "order": (order if chunk is None else ChunkOrder(chunk, order, self.pool_slots)).to_json(),
            "airflow": asdict(airflow_ref(context)),
            "elasticjobs_conn_id": target.conn_id or self.elasticjobs_conn_id,
            "job_database_conn_id": self.job_database_conn_id,
        }

    def _item(self) -> Mapping[str, Any]:
        return read_item(self.target, self.task_id)

    def _come_back_later(self) -> None:
        rollout = as_rollout(self.rollout)
        # A chunk waits for the time of each of its databases by itself.
        if rollout is None or not rollout.spread_seconds or TargetChunk.is_json(item := self._item()):
            return
        from airflow_provider_elasticjobs.job_database.rollouts import seconds_to_wait
        from airflow_provider_elasticjobs.triggers.process import connection_settings, open_job_database

        database = open_job_database(connection_settings(self.job_database_conn_id))
        with contextlib.closing(database):
            seconds_left = seconds_to_wait(database, UUID(item["execution_id"]))
        if seconds_left >= _SHORT_WAIT_SECONDS:
            pause = min(seconds_left, _LONGEST_ABSENCE_SECONDS)
            self.log.info("The starts are spread: this one comes in %d s, the slot is given back", round(seconds_left))
            at = datetime.now(timezone.utc) + timedelta(seconds=pause)
            raise AirflowRescheduleException(at)  # type: ignore[no-untyped-call]

    def _output(self) -> SqlDatabaseOutput | ParquetOutput | None:
        """Return the output; a table is written by the step's connection, whatever the target's own is."""
        output = None if self.step_output is None else output_from_json(self.step_output)
        if isinstance(output, SqlDatabaseOutput) and output.conn_id is None:
            return replace(output, conn_id=self.elasticjobs_conn_id)
        return output

    def _run_in_thread(self, target_run: TargetRun) -> tuple[Lifecycle, str]:
        """Run in a helper thread, so that time-outs and signals are not held up by the driver's blocking calls."""
        results: list[tuple[Lifecycle, str] | BaseException] = []

        def run() -> None:
            try:
                result = target_run.run()
                results.append((result.lifecycle, result.message))
            except BaseException as error:  # noqa: BLE001 it is raised again, in the task's own thread
                results.append(error)

        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="elasticjobs-script")
        thread.start()
        while thread.is_alive():
            thread.join(_POLL_SECONDS)
        if isinstance(result := results[0], BaseException):
            raise result
        return result

    def _say(self, level: int, text: str) -> None:
        self.log.log(level, "%s", text)


def as_rollout(rollout: Rollout | Mapping[str, Any] | None) -> Rollout | None:
    """Return a rollout from what an operator was given.

    :raises DefinitionError: if it cannot be read from its JSON.
    """
    return rollout if rollout is None or isinstance(rollout, Rollout) else Rollout.from_json(rollout)


def _report(lifecycle: Lifecycle, message: str) -> None:
    """Turn a lifecycle into what Airflow makes of it; Airflow's retries do not apply to a script's own failure."""
    if lifecycle is Lifecycle.SKIPPED:
        raise AirflowSkipException(message)
    if not lifecycle.is_good:
        raise AirflowFailException(f"{lifecycle}: {message}")
