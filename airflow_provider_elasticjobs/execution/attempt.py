"""One attempt of a script, on one session of its target: connect, lock, run, look after what it left."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.connections.connection_string import application_name_of
from airflow_provider_elasticjobs.exceptions import OutcomeUnknownError, OutputError
from airflow_provider_elasticjobs.execution.ending import Ending
from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.execution.script import script_batches
from airflow_provider_elasticjobs.execution.session import (
    acquire_step_lock,
    refuse_open_transactions,
    step_lock_name,
)
from airflow_provider_elasticjobs.execution.stopping import StopSignal
from airflow_provider_elasticjobs.execution.transcript import Transcript
from airflow_provider_elasticjobs.execution.trial import check_can_be_tried, parsed_only, rolled_back
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.messages import WAITING_FOR_LOST_ATTEMPT, trial_message
from airflow_provider_elasticjobs.model.outcome import Outcome
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.outputs.writer import OutputPlace, OutputRun, OutputWriter
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

#: Seconds between two looks at the lock that an attempt of a lost process still holds.
_LOCK_POLL_SECONDS = 1.0


class AttemptRunner:
    """Makes the attempts of one target's script, each on a session of its own; knows nothing of rows.

    :param order: the script and the database.
    :param claim: the row that it is done for, which holds the values of the built-in variables.
    :param connect: opens a connection to the target in autocommit mode.
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
        connect: Connector,
        stop: StopSignal,
        log: Callable[[int, str], None],
        on_waiting: Callable[[str | None], None],
        output: OutputPlace | None = None,
    ) -> None:
        self._order = order
        self._claim = claim
        self._connect = connect
        self._stop = stop
        self._log = log
        self._on_waiting = on_waiting
        self._output = output
        self._lost = claim.lost_attempt
        self._transcript = Transcript(log)

    @property
    def lost_attempt(self) -> bool:
        """Whether an attempt was lost, and none has reached the target since to reckon with it."""
        return self._lost

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
        target = self._order.target
        batches = script_batches(self._order.command, self._claim)
        if unknown := unknown_variables(self._order.command):
            self._log(logging.WARNING, f"No built-in variable is called {', '.join(unknown)}: left as written")
        trial = self._order.trial
        if trial is not None:
            check_can_be_tried(trial, batches)
            if trial is Trial.PLAN:
                return self._tried(None)
        connection = self._connect(
            target.server_name, target.database_name, application_name_of(self._claim.job_execution_id)
        )
        try:
            # What is only parsed gets in nobody's way.
            if trial is not Trial.PARSE and not self._lock(connection):
                self._stop.raise_if_released()
                return _SKIPPED if self._stop.reason is None else Ending.stopped(self._stop.reason)
            if trial is None:
                self._acknowledge_lost_attempt()
            with self._opened_output() as writer:
                script = ScriptRun(
                    connection,
                    batches,
                    on_message=self._transcript.message,
                    on_result=self._transcript.result,
                    receiver=writer,
                    server=target.server_name,
                    database=target.database_name,
                )
                with self._stop.stops(script):
                    if trial is not None:
                        return self._tried(self._try(trial, script, connection))
                    script.run()
                refuse_open_transactions(connection, target)
                if writer is not None:
                    self._log(logging.INFO, f"{writer.commit()} row(s) written to the output")
        finally:
            # A broken connection cannot be closed politely, and what broke it is on its way up already.
            with contextlib.suppress(Exception):
                connection.close()
        return _SUCCEEDED

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

    def _try(self, trial: Trial, script: ScriptRun, connection: pyodbc.Connection) -> ScriptResult:
        undone = parsed_only if trial is Trial.PARSE else rolled_back
        with undone(connection, self._order.target):
            return script.run()

    def _tried(self, result: ScriptResult | None) -> Ending:
        target, trial = self._order.target, self._order.trial
        found = "" if result is None else f": {result.batches} batch(es) without an error"
        if trial is Trial.ROLLBACK and result is not None:
            found += f", {result.affected_rows} row(s) affected, {result.result_sets} result set(s)"
        message = trial_message(str(trial), self._claim.step_id, target.server_name, target.database_name, found)
        return Ending(Lifecycle.SKIPPED, Outcome.SKIPPED, message)

    def _lock(self, connection: pyodbc.Connection) -> bool:
        """Take the step's lock on the target; wait for a lost attempt of this same execution, and for nobody else."""
        target = self._order.target
        name = step_lock_name(self._claim.job_id, self._claim.step_name, target.database_name)
        waiting = False
        while self._stop.reason is None:
            if acquire_step_lock(connection, name, target):
                if waiting:
                    self._on_waiting(None)
                return self._stop.reason is None
            if not self._lost:
                return False
            if not waiting:
                waiting = True
                self._log(logging.INFO, WAITING_FOR_LOST_ATTEMPT)
                self._on_waiting(WAITING_FOR_LOST_ATTEMPT)
            self._stop.pause(_LOCK_POLL_SECONDS)
        return False

    def _acknowledge_lost_attempt(self) -> None:
        """Reckon with a lost attempt that has ended, now that its lock is ours; until then each attempt has to."""
        if not self._lost:
            return
        self._lost = False
        message = "an earlier attempt was lost with its process, and whether its script committed is unknown"
        if not self._order.idempotent:
            raise OutcomeUnknownError(f"{message}; the step is not idempotent, so it is not repeated")
        self._log(logging.WARNING, f"{message}; the script runs again")
