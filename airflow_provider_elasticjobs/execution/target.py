"""One script on one database: claim, attempts, deadlines, stop, and the rows that say so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace

from airflow_provider_elasticjobs.connections.connection_string import application_name_of
from airflow_provider_elasticjobs.exceptions import ClaimLostError, ElasticJobsError, JobDatabaseAwayError
from airflow_provider_elasticjobs.execution.agent import JobAgent
from airflow_provider_elasticjobs.execution.attempt import AttemptRunner, Connector
from airflow_provider_elasticjobs.execution.availability import Availability
from airflow_provider_elasticjobs.execution.ending import Ending, StopReason, ending_of, may_retry
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.stopping import StopSignal
from airflow_provider_elasticjobs.execution.waiting_room import ROLLOUT, pauses
from airflow_provider_elasticjobs.job_database import executions
from airflow_provider_elasticjobs.job_database.claims import claim_target
from airflow_provider_elasticjobs.job_database.places import note_waiting
from airflow_provider_elasticjobs.job_database.records import AirflowRef, AlreadyFinished, AttemptStart, Claim, Settled
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import EARLIER_UNKNOWN, target_message
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.outputs.writer import OutputPlace
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable

__all__ = ["TargetExecution", "TargetResult"]

#: Seconds until one whose time has not come looks again whether its rollout goes on.
_LONGEST_WAIT = 30.0


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
    :param open_master: opens a connection to ``master`` of the server, to ask whether the database is gone; default:
        ``connect``.
    :param errors: the connection's table of error numbers.
    :param output: the place that the order's output names.
    :param aside: entered while it only waits, for a place or for its next attempt: others may work meanwhile.
    :param over: called when the script has succeeded and only that is left to be written, unless somebody waits for the
        row's end: others may work from then on.
    :param claim: on the row, if it is claimed already.
    """

    def __init__(
        self,
        order: TargetOrder,
        airflow: AirflowRef,
        *,
        agent: JobAgent,
        connect: Connector,
        log: Callable[[int, str], None],
        open_master: Connector | None = None,
        errors: ErrorTable = DEFAULT_ERRORS,
        output: OutputPlace | None = None,
        aside: Callable[[], AbstractContextManager[object]] = nullcontext,
        over: Callable[[], None] | None = None,
        claim: Claim | None = None,
    ) -> None:
        self.order = order
        self._airflow = airflow
        self._agent = agent
        self._connect = connect
        self._log = log
        self._open_master = open_master or connect
        self._errors = errors
        self._output = output
        self._aside = aside
        self._over = over
        self._claim = claim
        self._stop = StopSignal(order.target.label)
        self._ended: Ending | None = None

    def run(self) -> TargetResult:
        """Claim the row and run the script until it succeeds, is stopped, or has no attempts left; blocks.

        :returns: what the row says at the end; at once if it had ended before.
        :raises ClaimLostError: if another process has taken the row over.
        :raises ExecutionReleasedError: if :meth:`release` stopped it; the row is as active as it was.
        :raises JobDatabaseAwayError: if the job database stays away for too long; the row's end is written by the agent
            when it is back.
        :raises JobDatabaseError: if the job database refuses a write.
        """
        claim = self._claim or claim_target(
            self._agent.job_database, self.order.execution_id, self._airflow, self._agent.record
        )
        if isinstance(claim, AlreadyFinished):
            self._log(logging.INFO, f"Nothing to do, the row had ended: {claim.lifecycle}, {claim.message}")
            return TargetResult(claim.lifecycle, claim.message or "", 0)
        with self._agent.track(claim.job_execution_id, self.cancel):
            try:
                return self._run_claimed(claim)
            except JobDatabaseAwayError as error:
                self._write_later(claim, error)
                raise

    def cancel(self) -> None:
        """Stop the script on the server, or whatever is waited for; from any thread, more than once."""
        self._stop.halt(StopReason.CANCELLED)

    def release(self) -> None:
        """Stop like :meth:`cancel`, but leave the row active for another process to take over."""
        self._stop.halt(StopReason.RELEASED)

    def _run_claimed(self, claim: Claim) -> TargetResult:
        runner = AttemptRunner(
            self.order,
            claim,
            sessions=self._sessions(claim),
            stop=self._stop,
            log=self._log,
            on_waiting=lambda cause: self._note_waiting(claim, cause),
            output=self._output,
        )
        attempt = claim.attempts
        with ExitStack() as limits:
            if claim.attempts:
                self._limit_all_attempts(limits, claim)
            while True:
                attempt += 1
                if stopped := self._stopped():
                    return self._finish(claim, replace(Ending.stopped(stopped), in_doubt=runner.in_doubt), attempt)
                start = self._begin(claim, attempt)
                if start.ended is not None:
                    return self._left_out(start.ended, attempt - 1)
                if start.begun and attempt == 1:
                    self._limit_all_attempts(limits, claim)
                ending = self._ended = self._attempt(runner, claim, attempt, start)
                if not self._may_retry(runner, ending, attempt):
                    return self._finish(claim, ending, attempt)
                if stopped := self._wait_for_retry(runner, claim, ending, attempt):
                    return self._finish(claim, replace(Ending.stopped(stopped), in_doubt=runner.in_doubt), attempt)

    def _sessions(self, claim: Claim) -> Availability:
        target, name = self.order.target, application_name_of(claim.job_execution_id)
        return Availability(
            claim.step_id,
            target,
            connect=lambda: self._connect(target.server_name, target.database_name, name),
            open_master=lambda: self._open_master(target.server_name, "master", name),
            on_waiting=lambda cause: self._note_waiting(claim, cause),
            stop=self._stop,
            log=self._log,
            seconds=self.order.retry.availability_timeout,
            errors=self._errors,
        )

    def _limit_all_attempts(self, limits: ExitStack, claim: Claim) -> None:
        """Start the clock of the target's time-out; a process that takes a row over counts what went before."""
        if self.order.target_timeout is not None:
            left = max(self.order.target_timeout - claim.elapsed_seconds, 0)
            limits.enter_context(self._agent.deadlines.within(left, self._expire))

    def _may_retry(self, runner: AttemptRunner, ending: Ending, attempt: int) -> bool:
        # With a transaction, an attempt that follows one of unknown outcome begins by finding it out.
        idempotent = self.order.idempotent or (ending.outcome is Outcome.UNKNOWN and runner.may_find_out)
        return may_retry(ending, self.order.retry, attempt, idempotent=idempotent, errors=self._errors)

    def _write_later(self, claim: Claim, away: JobDatabaseAwayError) -> None:
        """Leave to the agent what could not be written: how the last attempt ended, or that none could begin."""
        ending = self._ended or Ending(Lifecycle.FAILED, Outcome.FAILED, away.message, away)
        self._log(logging.ERROR, f"Not written yet, for want of the job database: {ending.lifecycle}")
        self._agent.write_later(lambda: self._write_end(claim, ending))

    def _write_end(self, claim: Claim, ending: Ending, *, together: bool = False) -> tuple[Settled, str]:
        target = self.order.target
        sentence = target_message(ending.lifecycle, claim.step_id, target.server_name, target.database_name)
        message = ending.message or sentence
        in_doubt = ending.in_doubt and not ending.lifecycle.is_good
        if in_doubt and ending.outcome is not Outcome.UNKNOWN:
            message += f" {EARLIER_UNKNOWN}"
        if together:
            settled = self._agent.rows.succeed(claim, ending.messages, linger=self._over is not None)
        else:
            settled = executions.finish_target(
                self._agent.job_database,
                claim,
                ending.lifecycle,
                message,
                outcome=ending.outcome,
                error_number=ending.error_number,
                in_doubt=in_doubt,
                messages=ending.messages,
            )
        self._give_place_back(claim)
        if settled.rollout_stopped:
            self._log(
                logging.WARNING, "One failure too many: the rollout is stopped, nothing further of the step begins"
            )
            self._agent.waiting_room.rollout_is_over(claim)
        return settled, message

    def _finish(self, claim: Claim, ending: Ending, attempt: int) -> TargetResult:
        self._ended = ending
        together = ending.lifecycle is Lifecycle.SUCCEEDED and not ending.message and claim.is_plain
        if together and self._over is not None:
            self._over()
        settled, message = self._write_end(claim, ending, together=together)
        if settled.lifecycle is None:
            raise self._claim_lost()
        if not settled.written:
            # Somebody stopped the run while this row waited, and ended it then.
            return TargetResult(settled.lifecycle, "", attempt)
        self._log(logging.INFO if ending.lifecycle.is_good else logging.ERROR, message)
        return TargetResult(ending.lifecycle, message, attempt)

    def _left_out(self, ended: AlreadyFinished, attempts: int) -> TargetResult:
        """Report a row that ended while it waited, because the rollout was stopped."""
        message = ended.message or ""
        self._log(logging.INFO if ended.lifecycle.is_good else logging.ERROR, message)
        return TargetResult(ended.lifecycle, message, attempts)

    def _attempt(self, runner: AttemptRunner, claim: Claim, attempt: int, start: AttemptStart) -> Ending:
        if start.cancelled:
            self.cancel()
            return Ending.stopped(StopReason.CANCELLED)
        if start.waiting_cause is not None and self._stop.reason is not None:
            return Ending.stopped(self._stop.reason)
        if not start.begun:
            raise self._claim_lost()
        self._log(logging.INFO, f"Attempt {attempt} of {self.order.retry.attempts + 1} on {self.order.target.label}")
        try:
            with self._agent.deadlines.within(self.order.step_timeout, self._expire):
                ending = runner.run()
        except ElasticJobsError as error:
            error.step_name, error.attempt = claim.step_name, attempt
            self._stop.raise_if_released()
            ending = ending_of(error, self._stop.reason)
        return replace(ending, messages=runner.messages, in_doubt=runner.in_doubt)

    def _begin(self, claim: Claim, attempt: int) -> AttemptStart:
        """Begin an attempt, once its time has come and there is a place for it; nothing is held meanwhile."""
        said, pause = None, pauses()
        while True:
            start = self._agent.rows.begin(claim, attempt)
            if start.waiting_cause is None or start.cancelled:
                return start
            self._stop.raise_if_released()
            if self._stop.reason is not None:
                return start
            if start.waiting_cause != said:
                said = start.waiting_cause
                self._log(logging.INFO, said)
            if start.wait_seconds is not None:
                self._pause_until_due(claim, min(start.wait_seconds, _LONGEST_WAIT))
                continue
            with self._aside(), self._agent.waiting_room.waiting(claim, said, self._stop.wake):
                self._stop.pause(next(pause), until_woken=True)

    def _give_place_back(self, claim: Claim) -> None:
        if claim.needs_place:
            self._agent.waiting_room.place_is_free(claim)

    def _expire(self) -> None:
        self._stop.halt(StopReason.TIMED_OUT)

    def _note_waiting(self, claim: Claim, cause: str | None) -> None:
        try:
            note_waiting(self._agent.job_database, claim, cause)
        except ElasticJobsError as error:
            self._log(logging.WARNING, f"What is waited for could not be written down: {error}")

    def _wait_for_retry(self, runner: AttemptRunner, claim: Claim, ending: Ending, attempt: int) -> StopReason | None:
        delay = self.order.retry.delay(attempt)
        self._log(logging.WARNING, f"Attempt {attempt} failed: {ending.message}")
        if executions.wait_for_retry(
            self._agent.job_database,
            claim,
            ending.message,
            delay_seconds=delay,
            outcome=ending.outcome,
            error_number=ending.error_number,
            lost_attempt=runner.in_doubt,
            messages=ending.messages,
        ):
            self._give_place_back(claim)
            self._log(logging.INFO, f"The next attempt follows in {delay:g} s")
            self._pause_until_due(claim, delay)
        # A row that could not be written was taken over or stopped: the next attempt's beginning tells which.
        return self._stopped()

    def _stopped(self) -> StopReason | None:
        """Return why the work has to stop, if it has to and is not to be left for another process."""
        self._stop.raise_if_released()
        return self._stop.reason

    def _pause_until_due(self, claim: Claim, seconds: float) -> None:
        """Wait, until it is time, the work has to stop, or this process sees that the rollout is stopped."""
        over = threading.Event()

        def wake() -> None:
            over.set()
            self._stop.wake()

        due = time.monotonic() + seconds
        with self._aside(), self._agent.waiting_room.waiting(claim, ROLLOUT, wake):
            while not over.is_set() and self._stop.reason is None and (left := due - time.monotonic()) > 0:
                self._stop.pause(left, until_woken=True)

    def _claim_lost(self) -> ClaimLostError:
        target = self.order.target
        return ClaimLostError(
            f"the row of {target.label} was taken over by another process",
            server=target.server_name,
            database=target.database_name,
        )
