"""One attempt of a script, on one session of its target: connect, lock, run, look after what it left.

An attempt whose answer was lost, with its connection or with its process, is reckoned with by the next session that has
the step's lock, for then the lost session has ended: by the marker of the step's transaction, if it has one, else by
what the step says of itself (``idempotent``).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import (
    ElasticJobsError,
    OutcomeUnknownError,
    OutputError,
    ScriptCancelledError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.execution.availability import Availability
from airflow_provider_elasticjobs.execution.ending import Ending
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.script import script_batches
from airflow_provider_elasticjobs.execution.session import (
    acquire_step_lock,
    limit_lock_waits,
    refuse_open_transactions,
    step_lock_name,
)
from airflow_provider_elasticjobs.execution.stopping import StopSignal
from airflow_provider_elasticjobs.execution.transaction import StepTransaction
from airflow_provider_elasticjobs.execution.transcript import Transcript
from airflow_provider_elasticjobs.execution.trial import check_can_be_tried, parsed_only, rolled_back
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_LOST_ATTEMPT, target_committed, trial_message
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.parameters import merged_parameters
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.outputs.writer import OutputPlace, OutputRun, OutputWriter
from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.parameters import declared
from airflow_provider_elasticjobs.tsql.results import ScriptResult
from airflow_provider_elasticjobs.tsql.run import ScriptRun
from airflow_provider_elasticjobs.tsql.variables import unknown_variables

if TYPE_CHECKING:
    import pyodbc

    from airflow_provider_elasticjobs.job_database.records import AttemptMessage, Claim

__all__ = ["AttemptRunner", "Connector"]

#: ``(server, database, application name)`` to an open connection in autocommit mode.
Connector = Callable[[str, str, "str | None"], "pyodbc.Connection"]

_SUCCEEDED = Ending(Lifecycle.SUCCEEDED, Outcome.SUCCEEDED)
_SKIPPED = Ending(Lifecycle.SKIPPED, Outcome.SKIPPED)

#: Seconds between two looks at the lock that a lost attempt still holds.
_LOCK_POLL_SECONDS = 1.0


class AttemptRunner:
    """Makes the attempts of one target's script, each on a session of its own; knows nothing of rows.

    :param order: the script and the database.
    :param claim: the row that it is done for, which holds the values of the built-in variables.
    :param sessions: opens the sessions, and waits for a database that is not available yet.
    :param stop: the target's signal to stop.
    :param log: receives a logging level and a text: what the script said, and what was decided.
    :param on_waiting: receives what an attempt waits for that has begun, and None when it goes on.
    :param output: where the script's result goes.
    """

    def __init__(
        self,
        order: TargetOrder,
        claim: Claim,
        *,
        sessions: Availability,
        stop: StopSignal,
        log: Callable[[int, str], None],
        on_waiting: Callable[[str | None], None],
        output: OutputPlace | None = None,
    ) -> None:
        self._order = order
        self._claim = claim
        self._sessions = sessions
        self._stop = stop
        self._log = log
        self._on_waiting = on_waiting
        self._lock_timeout = -1 if order.lock_timeout is None else round(order.lock_timeout * 1000)
        is_transaction = order.transaction and order.trial is None
        self._transaction = StepTransaction(claim, self._lock_timeout) if is_transaction else None
        self._output = output
        self._lost = claim.lost_attempt
        self._in_doubt = claim.lost_attempt
        self._transcript = Transcript(log)

    @property
    def in_doubt(self) -> bool:
        """Whether an attempt, of this process or of a lost one, may have taken effect without anybody knowing."""
        return self._in_doubt

    @property
    def may_find_out(self) -> bool:
        """Whether the next attempt begins by finding out what one of unknown outcome did."""
        return self._transaction is not None

    @property
    def messages(self) -> list[AttemptMessage]:
        """What the script has said during the present attempt, or the last one."""
        return self._transcript.kept()

    def run(self) -> Ending:
        """Make one attempt; blocks.

        :returns: how it ended, where nothing went wrong: succeeded, skipped, or stopped before the script was sent.
        :raises ElasticJobsError: what went wrong.
        """
        self._transcript = Transcript(self._log)
        parameters = merged_parameters(self._order.parameters, self._claim.target.parameters)
        batches = script_batches(self._order.command, self._claim, parameters, bind=self._order.bind_parameters)
        if unknown := unknown_variables(self._order.command, parameters):
            self._log(logging.WARNING, f"No variable or parameter is called {', '.join(unknown)}: left as written")
        if self._order.trial is not None:
            check_can_be_tried(self._order.trial, batches)
            if self._order.trial is Trial.PLAN:
                return self._tried(None)
            if self._order.trial is Trial.PARSE:
                batches = [declared(batch) for batch in batches]
        try:
            with self._session() as connection:
                return self._run(connection, batches)
        except OutcomeUnknownError as error:
            self._lost = self._in_doubt = True
            if self._transaction is None:
                raise
            return self._find_out(error)

    def _run(self, connection: pyodbc.Connection, batches: list[Batch]) -> Ending:
        trial = self._order.trial
        # What is only parsed gets in nobody's way.
        if trial is not Trial.PARSE and not self._lock(connection):
            self._stop.raise_if_released()
            return _SKIPPED if self._stop.reason is None else Ending.stopped(self._stop.reason)
        if trial is not None:
            return self._tried(self._try(trial, connection, batches))
        if (ended := self._reckon(connection)) is not None:
            return ended
        self._send(connection, batches)
        self._in_doubt = False
        return _SUCCEEDED

    @contextlib.contextmanager
    def _session(self, *, whatever: bool = False) -> Iterator[pyodbc.Connection]:
        connection = self._sessions.open(whatever=whatever)
        try:
            yield connection
        finally:
            # A broken connection cannot be closed politely, and what broke it is on its way up already.
            with contextlib.suppress(Exception):
                connection.close()

    def _lock(self, connection: pyodbc.Connection) -> bool:
        """Take the step's lock on the target; wait for a lost attempt of this same execution, and for nobody else."""
        target = self._order.target
        name = step_lock_name(self._claim.job_id, self._claim.step_name, target.database_name)
        waiting = False
        while not acquire_step_lock(connection, name, target):
            if not self._lost or self._stop.reason is not None:
                return False
            if not waiting:
                waiting = True
                self._log(logging.INFO, WAITING_FOR_LOST_ATTEMPT)
                self._on_waiting(WAITING_FOR_LOST_ATTEMPT)
            self._stop.pause(_LOCK_POLL_SECONDS)
        if waiting:
            self._on_waiting(None)
        return True

    @contextlib.contextmanager
    def _opened_output(self) -> Iterator[OutputWriter | None]:
        """Open the step's output, if it has one, before the script is sent; a trial writes none."""
        if self._output is None or self._order.trial is not None:
            yield None
            return
        claim, target = self._claim, self._order.target
        run = OutputRun(self._order.execution_id, claim.job_execution_id, target, self._stop.stops)
        with contextlib.closing(self._output.open(run)) as writer:
            try:
                yield writer
            except OutputError as error:
                error.script_was_sent = True
                raise

    def _try(self, trial: Trial, connection: pyodbc.Connection, batches: list[Batch]) -> ScriptResult:
        undone = parsed_only if trial is Trial.PARSE else rolled_back
        script = self._script(connection, batches)
        with self._stop.stops(script), undone(connection, self._order.target):
            return script.run()

    def _tried(self, result: ScriptResult | None) -> Ending:
        target, trial = self._order.target, self._order.trial
        found = "" if result is None else f": {result.batches} batch(es) without an error"
        if trial is Trial.ROLLBACK and result is not None:
            found += f", {result.affected_rows} row(s) affected, {result.result_sets} result set(s)"
        message = trial_message(str(trial), self._claim.step_id, target.server_name, target.database_name, found)
        return Ending(Lifecycle.SKIPPED, Outcome.SKIPPED, message)

    def _send(self, connection: pyodbc.Connection, batches: list[Batch]) -> None:
        """Run the script, in its transaction if it has one."""
        target, transaction = self._order.target, self._transaction
        with self._opened_output() as writer:
            if transaction is not None:
                transaction.begin(connection)
            elif self._order.lock_timeout is not None:
                limit_lock_waits(connection, self._lock_timeout, target)
            script = self._script(connection, batches, writer)
            with self._stop.stops(script):
                script.run()
            if transaction is None:
                refuse_open_transactions(connection, target)
            elif self._stop.reason is not None:
                raise ScriptCancelledError("cancelled before its transaction was committed; all of it is rolled back")
            else:
                transaction.commit(connection)
            if writer is not None:
                self._log(logging.INFO, f"{writer.commit()} row(s) written to the output")

    def _script(
        self, connection: pyodbc.Connection, batches: list[Batch], writer: OutputWriter | None = None
    ) -> ScriptRun:
        target, transaction = self._order.target, self._transaction
        return ScriptRun(
            connection,
            batches,
            on_message=self._transcript.message,
            on_result=self._transcript.result,
            receiver=writer,
            between=None if transaction is None else lambda: transaction.require_open(connection),
            server=target.server_name,
            database=target.database_name,
        )

    def _reckon(self, connection: pyodbc.Connection) -> Ending | None:
        """Reckon with a lost attempt that has ended, now that its lock is ours; until then each attempt has to.

        :returns: the end of this attempt, if the lost one has done its work; None if the script is to run.
        """
        if not self._lost:
            return None
        committed = None if self._transaction is None else self._transaction.committed(connection)
        self._lost = False
        if committed is None:
            self._acknowledge()
            return None
        self._in_doubt = False
        if committed:
            target = self._order.target
            if self._output is not None:
                lost = OutputError("the script's transaction has committed, but its result was lost with the answer")
                lost.script_was_sent = True
                raise lost
            message = target_committed(self._claim.step_id, target.server_name, target.database_name)
            return Ending(Lifecycle.SUCCEEDED, Outcome.SUCCEEDED, message)
        self._log(logging.WARNING, "A lost attempt left no marker, so nothing of it has committed; the script may run")
        return None

    def _acknowledge(self) -> None:
        message = "an earlier attempt was lost, and whether its script committed is unknown"
        if self._transaction is not None:
            message = "the script ended its transaction by itself, so a part of it has committed in a lost attempt"
        if not self._order.idempotent:
            self._transaction = None  # it cannot tell, however often it is asked
            raise OutcomeUnknownError(f"{message}; the step is not idempotent, so it is not repeated")
        self._log(logging.WARNING, f"{message}; the script runs again")

    def _find_out(self, error: OutcomeUnknownError) -> Ending:
        """Ask the marker, on a session that has waited for the lost one to end, whether the transaction committed.

        Somebody who has to stop asks once, without waiting.

        :raises ServerUnreachableError: if nothing has committed.
        :raises OutcomeUnknownError: if it is still not known.
        """
        self._stop.raise_if_released()
        self._log(logging.WARNING, f"{error.message}. Looking for its marker")
        try:
            with self._session(whatever=True) as connection:
                if not self._lock(connection):
                    self._stop.raise_if_released()
                    raise error
                ended = self._reckon(connection)
        except (OutcomeUnknownError, OutputError):
            raise
        except ElasticJobsError as failure:
            self._log(logging.WARNING, f"The marker could not be asked for: {failure.message}")
            raise error from failure
        if ended is not None:
            return ended
        if self._in_doubt:
            raise error
        target = self._order.target
        raise ServerUnreachableError(
            f"{error.message}; its marker is not there, so its transaction was rolled back: nothing has committed",
            server=target.server_name,
            database=target.database_name,
        )
