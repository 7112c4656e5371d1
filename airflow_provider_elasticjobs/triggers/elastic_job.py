"""The trigger that runs a script on one database, outside any worker, and ends its task itself."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import logging
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger, TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent

from airflow_provider_elasticjobs.exceptions import ClaimLostError, ElasticJobsError
from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.execution.chunk import ChunkResult
    from airflow_provider_elasticjobs.execution.target import TargetResult
    from airflow_provider_elasticjobs.triggers.target_run import TargetRun

__all__ = ["ElasticJobTrigger"]

#: Seconds that a cancelled script may take to end: below ``[triggerer] on_kill_timeout``, which is 30.
_CANCEL_SECONDS = 23.0
#: Seconds that Airflow may take to tell a task's state.
_QUESTION_SECONDS = 5.0
#: Seconds that a script may take to end when the triggerer stops, which is killed after 10.
_RELEASE_SECONDS = 8.0
#: Seconds after which Airflow has taken a trigger from all triggerers but one; each asks about once a second.
_RIVAL_SECONDS = 5.0
#: How often a trigger begins, at most, when others take its rows over.
_MOST_BEGINNINGS = 5


class ElasticJobTrigger(BaseTrigger):
    """Runs a script on one database in a thread of the triggerer, and ends the task with the row's lifecycle.

    The task never goes back to a worker. A triggerer that takes the trigger over runs it from the beginning: it finds
    in the job database what the earlier one had begun.

    :param order: the script and its target, :meth:`TargetOrder.to_json`, or its targets, :meth:`ChunkOrder.to_json`.
    :param airflow: where in Airflow the target is worked on, the fields of ``AirflowRef``.
    :param elasticjobs_conn_id: Airflow connection that runs the script.
    :param job_database_conn_id: Airflow connection of the job database.
    """

    def __init__(
        self,
        *,
        order: Mapping[str, Any],
        airflow: Mapping[str, Any],
        elasticjobs_conn_id: str,
        job_database_conn_id: str,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.order = dict(order)
        self.airflow = dict(airflow)
        self.elasticjobs_conn_id = elasticjobs_conn_id
        self.job_database_conn_id = job_database_conn_id
        self._target_run: TargetRun | None = None
        self._work: Future[TargetResult | ChunkResult] | None = None
        self._end: asyncio.Future[TargetResult | ChunkResult] | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class's path and its arguments: plain JSON, and no secret, since connections go by their id."""
        return (
            "airflow_provider_elasticjobs.triggers.elastic_job.ElasticJobTrigger",
            {
                "order": self.order,
                "airflow": self.airflow,
                "elasticjobs_conn_id": self.elasticjobs_conn_id,
                "job_database_conn_id": self.job_database_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run the script, and yield the one event that ends the task."""
        try:
            result = await self._result()
        except ElasticJobsError as error:
            self._say(logging.ERROR, str(error))
            yield TaskFailedEvent()
            return
        except Exception:
            # Letting it out would send the task back to a worker, only to fail there.
            self.log.exception("The script could not be run")
            yield TaskFailedEvent()
            return
        yield _event(result.lifecycle)

    async def _result(self) -> TargetResult | ChunkResult:
        """Run the script, again if another process has taken the row over and this one is still asked for it.

        For a moment two triggerers may run the same trigger: one that was too slow to give signs of life and the one
        that has it now, or any two on SQLite, where Airflow hands triggers out without a lock. The wrong one must not
        end the task; it is told to go within a second or two. The right one goes on with what the other one left.
        """
        for _ in range(_MOST_BEGINNINGS - 1):
            try:
                return await self._run_once()
            except ClaimLostError as error:
                self._say(logging.WARNING, f"{error}; looking again in {_RIVAL_SECONDS:g} s")
            await asyncio.sleep(_RIVAL_SECONDS)
        return await self._run_once()

    async def _run_once(self) -> TargetResult | ChunkResult:
        from airflow_provider_elasticjobs.triggers.process import this_process
        from airflow_provider_elasticjobs.triggers.target_run import TargetRun

        self._target_run = TargetRun(
            order=self.order,
            airflow=self.airflow,
            elasticjobs_conn_id=self.elasticjobs_conn_id,
            job_database_conn_id=self.job_database_conn_id,
            log=self._say,
        )
        # The triggerer finds a task's log by context variables; a thread starts without them.
        context = contextvars.copy_context()
        self._work = this_process().threads.submit(functools.partial(context.run, self._target_run.run))
        self._end = asyncio.wrap_future(self._work)
        return await asyncio.shield(self._end)

    async def on_kill(self) -> None:
        """Stop the script at the server, because somebody marked or cleared the task; wait until its row says so.

        A triggerer that was too slow to give signs of life is told the same when another one has its triggers; then the
        task is still deferred, and nothing is cancelled: :meth:`cleanup` releases the target.
        """
        if self._target_run is None or self._work is None or await self._is_still_deferred():
            return
        self._say(logging.INFO, "The task was marked or cleared: stopping the script on the server")
        unstarted = self._work.cancel()
        self._target_run.cancel()
        if unstarted:
            # It never got a thread of its own: what is left to do is to write that in its row.
            await asyncio.to_thread(self._target_run.run)
        else:
            await self._ended(_CANCEL_SECONDS)

    async def cleanup(self) -> None:
        """Release the target if the script still runs: the triggerer stops, and the next one begins it anew.

        The script is stopped on the server, so that the next attempt does not meet it; its row is not touched.
        """
        if self._target_run is None or self._work is None or self._work.cancel() or self._work.done():
            return
        self._target_run.release()
        await self._ended(_RELEASE_SECONDS)

    async def _is_still_deferred(self) -> bool:
        where = AirflowRef(**self.airflow)
        try:
            states = await asyncio.wait_for(asyncio.to_thread(_task_states, where), _QUESTION_SECONDS)
        except Exception:
            self.log.warning("Airflow did not tell the task's state; taking it for marked", exc_info=True)
            return False
        return "deferred" in states.values()

    async def _ended(self, seconds: float) -> None:
        """Wait until the thread has ended, but not for long."""
        if self._end is None:
            return
        await asyncio.wait([self._end], timeout=seconds)
        if self._end.done() and not self._end.cancelled():
            # Looked at, so that asyncio does not complain; the thread has logged it.
            self._end.exception()

    def _say(self, level: int, text: str) -> None:
        self.log.log(level, "%s", text)


def _task_states(where: AirflowRef) -> dict[str, Any]:
    states = RuntimeTaskInstance.get_task_states(
        dag_id=where.dag_id,
        task_ids=[where.task_id],
        run_ids=[where.run_id],
        map_index=where.map_index if where.map_index >= 0 else None,
    )
    return dict(states.get(where.run_id, {}))


def _event(lifecycle: Lifecycle) -> TriggerEvent:
    if lifecycle is Lifecycle.SKIPPED:
        return TaskSkippedEvent()
    return TaskSuccessEvent() if lifecycle.is_good else TaskFailedEvent()
