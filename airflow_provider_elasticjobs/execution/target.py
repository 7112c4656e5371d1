"""One script on one database: claim, lock, attempts, deadlines, stop, and the rows that say so."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.connections.connection_string import application_name_of
from airflow_provider_elasticjobs.exceptions import (
    ClaimLostError,
    ElasticJobsError,
    ExecutionReleasedError,
    OutcomeUnknownError,
)
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.ending import Ending, StopReason, ending_of, may_retry
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.script import script_batches
from airflow_provider_elasticjobs.execution.session import (
    acquire_step_lock,
    refuse_open_transactions,
    step_lock_name,
)
from airflow_provider_elasticjobs.execution.waiting_room import pauses
from airflow_provider_elasticjobs.job_database import executions
from airflow_provider_elasticjobs.job_database.records import AirflowRef, AlreadyFinished, AttemptStart, Claim
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import target_message
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet
from airflow_provider_elasticjobs.tsql.run import ScriptRun
from airflow_provider_elasticjobs.tsql.variables import unknown_variables

if TYPE_CHECKING:
    import pyodbc

__all__ = ["Connector", "TargetExecution", "TargetResult"]

#: ``(server, database, application name)`` to an open connection in autocommit mode.
Connector = Callable[[str, str, "str | None"], "pyodbc.Connection"]

_SUCCEEDED = Ending(Lifecycle.SUCCEEDED, Outcome.SUCCEEDED)
_SKIPPED = Ending(Lifecycle.SKIPPED, Outcome.SKIPPED)

#: Seconds between two looks at the lock that an attempt of a lost process still holds.
_LOCK_POLL_SECONDS = 1.0
#: Seconds that a stop keeps asking the server to let go of the script.
_STOP_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class TargetResult:
    """How the work on one target ended, as its row says."""

    lifecycle: Lifecycle
    message: str
    attempts: int


class TargetExecution:
    """Runs one script on one database to its end, and writes every change of state to its row first.

    :param order: the script and the database.
    :param airflow: the task instance that does it.
    :param agent: this process, as the job database knows it.
    :param connect: opens a connection to the target in autocommit mode.
    :param log: receives a logging level and a text: what the script said, and what was decided.
    """

    def __init__(
        self,
        order: TargetOrder,
        airflow: AirflowRef,
        *,
        agent: JobAgent,
        connect: Connector,
        log: Callable[[int, str], None],
    ) -> None:
        self.order = order
        self._airflow = airflow
        self._agent = agent
        self._connect = connect
        self._log = log
        self._changed = threading.Condition()
        self._stop: StopReason | None = None
        self._woken = False
        self._script: ScriptRun | None = None
        self._lost = False

    def run(self) -> TargetResult:
        """Claim the row and run the script until it succeeds, is stopped, or has no attempts left; blocks.

        :returns: what the row says at the end; at once if it had ended before.
        :raises ClaimLostError: if another process has taken the row over.
        :raises ExecutionReleasedError: if :meth:`release` stopped it; the row is as active as it was.
        :raises JobDatabaseError: if the job database refuses a write, or stays away for too long.
        """
        claim = executions.claim_target(
            self._agent.job_database, self.order.execution_id, self._airflow, self._agent.record
        )
        if isinstance(claim, AlreadyFinished):
            self._log(logging.INFO, f"Nothing to do, the row had ended: {claim.lifecycle}, {claim.message}")
            return TargetResult(claim.lifecycle, claim.message or "", 0)
        self._lost = claim.lost_attempt
        with self._agent.track(claim.job_execution_id, self.cancel):
            return self._run_claimed(claim)

    def cancel(self) -> None:
        """Stop the script on the server, or whatever is waited for; from any thread, more than once."""
        self._halt(StopReason.CANCELLED)

    def release(self) -> None:
        """Stop like :meth:`cancel`, but leave the row active for another process to take over."""
        self._halt(StopReason.RELEASED)

    def _halt(self, reason: StopReason) -> None:
        with self._changed:
            if self._stop is None:
                self._stop = reason
            script = self._script
            self._changed.notify_all()
        if script is not None:
            _stop_script(script)

    def _run_claimed(self, claim: Claim) -> TargetResult:
        attempt = claim.attempts
        while True:
            attempt += 1
            ending = self._attempt(claim, attempt)
            if not may_retry(ending, self.order.retry, attempt, idempotent=self.order.idempotent):
                return self._finish(claim, ending, attempt)
            if stopped := self._wait_for_retry(claim, ending, attempt):
                return self._finish(claim, Ending.stopped(stopped), attempt)

    def _finish(self, claim: Claim, ending: Ending, attempt: int) -> TargetResult:
        target = self.order.target
        sentence = target_message(ending.lifecycle, claim.step_id, target.server_name, target.database_name)
        message = ending.message or sentence
        settled = executions.finish_target(
            self._agent.job_database,
            claim,
            ending.lifecycle,
            message,
            outcome=ending.outcome,
            error_number=ending.error_number,
        )
        self._give_place_back(claim)
        if settled.lifecycle is None:
            raise self._claim_lost()
        if not settled.written:
            # Somebody stopped the run while this row waited, and ended it then.
            return TargetResult(settled.lifecycle, "", attempt)
        self._log(logging.INFO if ending.lifecycle.is_good else logging.ERROR, message)
        return TargetResult(ending.lifecycle, message, attempt)

    def _attempt(self, claim: Claim, attempt: int) -> Ending:
        start = self._begin(claim, attempt)
        if start.cancelled:
            self.cancel()
            return Ending.stopped(StopReason.CANCELLED)
        if start.waiting_cause is not None and self._stop is not None:
            return Ending.stopped(self._stop)
        if not start.begun:
            raise self._claim_lost()
        self._log(logging.INFO, f"Attempt {attempt} of {self.order.retry.attempts + 1} on {self.order.target.label}")
        try:
            with self._agent.deadlines.within(self.order.step_timeout, self._expire):
                return self._attempt_script(claim)
        except ElasticJobsError as error:
            error.step_name, error.attempt = claim.step_name, attempt
            self._raise_if_released()
            return ending_of(error, self._stop)

    def _begin(self, claim: Claim, attempt: int) -> AttemptStart:
        """Begin an attempt, once there is a place for it where the step has a cap; nothing is held meanwhile."""
        said, pause = None, pauses()
        while True:
            start = executions.begin_attempt(
                self._agent.job_database, claim, attempt, expiry_seconds=self._agent.expiry_seconds
            )
            if start.waiting_cause is None or start.cancelled:
                return start
            self._raise_if_released()
            if self._stop is not None:
                return start
            if start.waiting_cause != said:
                said = start.waiting_cause
                self._log(logging.INFO, said)
            with self._agent.waiting_room.waiting(claim, said, self._wake):
                self._pause(next(pause), until_woken=True)

    def _give_place_back(self, claim: Claim) -> None:
        if claim.needs_place:
            self._agent.waiting_room.place_is_free(claim)

    def _wake(self) -> None:
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _expire(self) -> None:
        self._halt(StopReason.TIMED_OUT)

    def _raise_if_released(self) -> None:
        if self._stop is StopReason.RELEASED:
            raise ExecutionReleasedError(f"{self.order.target.label} is left for another process to take over")

    def _attempt_script(self, claim: Claim) -> Ending:
        target = self.order.target
        batches = script_batches(self.order.command, claim)
        if unknown := unknown_variables(self.order.command):
            self._log(logging.WARNING, f"No built-in variable is called {', '.join(unknown)}: left as written")
        connection = self._connect(
            target.server_name, target.database_name, application_name_of(claim.job_execution_id)
        )
        try:
            if not self._lock(connection, claim):
                self._raise_if_released()
                return _SKIPPED if self._stop is None else Ending.stopped(self._stop)
            self._acknowledge_lost_attempt()
            script = ScriptRun(
                connection,
                batches,
                on_message=self._say,
                on_result=self._count,
                server=target.server_name,
                database=target.database_name,
            )
            with self._current(script):
                script.run()
            refuse_open_transactions(connection, target)
        finally:
            # A broken connection cannot be closed politely, and what broke it is on its way up already.
            with contextlib.suppress(Exception):
                connection.close()
        return _SUCCEEDED

    def _lock(self, connection: pyodbc.Connection, claim: Claim) -> bool:
        """Take the step's lock on the target; wait for a lost attempt of this same execution, and for nobody else."""
        name = step_lock_name(claim.job_id, claim.step_name, self.order.target.database_name)
        while self._stop is None:
            if acquire_step_lock(connection, name, self.order.target):
                return self._stop is None
            if not self._lost:
                return False
            self._log(logging.INFO, "The attempt that was lost still runs on the server; waiting for it to end")
            self._pause(_LOCK_POLL_SECONDS)
        return False

    def _acknowledge_lost_attempt(self) -> None:
        """Reckon with a lost attempt that has ended, now that its lock is ours; until then each attempt has to."""
        if not self._lost:
            return
        self._lost = False
        message = "an earlier attempt was lost with its process, and whether its script committed is unknown"
        if not self.order.idempotent:
            raise OutcomeUnknownError(f"{message}; the step is not idempotent, so it is not repeated")
        self._log(logging.WARNING, f"{message}; the script runs again")

    @contextlib.contextmanager
    def _current(self, script: ScriptRun) -> Iterator[None]:
        with self._changed:
            self._script = script
            stopped = self._stop is not None
        if stopped:
            _stop_script(script)
        try:
            yield
        finally:
            with self._changed:
                self._script = None

    def _wait_for_retry(self, claim: Claim, ending: Ending, attempt: int) -> StopReason | None:
        delay = self.order.retry.delay(attempt)
        self._log(logging.WARNING, f"Attempt {attempt} failed: {ending.message}")
        if executions.wait_for_retry(
            self._agent.job_database,
            claim,
            ending.message,
            delay_seconds=delay,
            outcome=ending.outcome,
            error_number=ending.error_number,
        ):
            self._give_place_back(claim)
            self._log(logging.INFO, f"The next attempt follows in {delay:g} s")
            self._pause(delay)
        # A row that could not be written was taken over or stopped: the next attempt's beginning tells which.
        self._raise_if_released()
        return self._stop

    def _claim_lost(self) -> ClaimLostError:
        target = self.order.target
        return ClaimLostError(
            f"the row of {target.label} was taken over by another process",
            server=target.server_name,
            database=target.database_name,
        )

    def _pause(self, seconds: float, *, until_woken: bool = False) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._stop is not None or (until_woken and self._woken), timeout=seconds)
            self._woken = False

    def _say(self, message: Message) -> None:
        self._log(logging.ERROR if message.is_error else logging.INFO, str(message))

    def _count(self, result: ResultSet) -> None:
        if result.columns:
            self._log(logging.INFO, f"Result set of {result.columns} column(s) and {result.rows} row(s)")
        else:
            self._log(logging.INFO, f"{result.rows} row(s) affected")


def _stop_script(script: ScriptRun) -> None:
    """Send attentions until the server lets go, from a thread of its own: who asked must not wait for that."""
    threading.Thread(
        target=script.cancel,
        kwargs={"patience": _STOP_PATIENCE_SECONDS},
        name="elasticjobs-stop",
        daemon=True,
    ).start()
