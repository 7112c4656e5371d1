"""Running one script on one connection: batches sent, every answer read to its end, messages passed on, one outcome.

How a run ends is decided by who said what, never by an SQLSTATE alone:

* the engine gave an error number: :class:`~airflow_provider_elasticjobs.exceptions.ScriptError`;
* no number, the connection lives, and this side asked to stop: ``ScriptCancelledError``;
* the connection was found dead before anything was sent: ``ServerUnreachableError``, nothing has run;
* anything else came after a batch was sent: ``OutcomeUnknownError``, the script has run in part, perhaps as a whole.

After an error the rest of the batch's answers is still read, as ``sqlcmd`` does, because the server goes on with the
next statement; the batches behind it are not sent. (When the batch's very first statement fails, the driver manager
offers nothing more to read, and the driver ends the batch.) Rows are counted and let go, or handed on in blocks: memory
does not grow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import (
    ElasticJobsError,
    OutcomeUnknownError,
    ScriptCancelledError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.tsql.attention import Attention
from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.drain import Drain
from airflow_provider_elasticjobs.tsql.odbc import (
    StatementHandle,
    close_statement,
    connection_is_alive,
)
from airflow_provider_elasticjobs.tsql.outcome import ErrorPlace, error_of
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet, ScriptResult
from airflow_provider_elasticjobs.tsql.row_reader import RowReceiver

if TYPE_CHECKING:
    import pyodbc

__all__ = ["ScriptRun"]


class ScriptRun:
    """One run of one script. It knows nothing of time-outs: the caller cancels at the deadline.

    :param connection: an open ``pyodbc`` connection with autocommit on, used by nobody else during the run. It is the
        caller's to close, and should be closed after an error: the script may have left a transaction open.
    :param batches: what to send, from :func:`~.batches.split_batches`.
    :param on_message: called with each :class:`~.results.Message`, from the running thread.
    :param on_result: called with each :class:`~.results.ResultSet` when it has been read, from the running thread.
    :param between: called between two batches, with nothing running on the connection; what it raises ends the run.
    :param receiver: takes the rows of result sets, in the running thread; what it raises ends the script.
    :param server: logical server name, for errors.
    :param database: database name, for errors.
    """

    def __init__(
        self,
        connection: pyodbc.Connection,
        batches: Sequence[Batch],
        *,
        on_message: Callable[[Message], None] | None = None,
        on_result: Callable[[ResultSet], None] | None = None,
        between: Callable[[], None] | None = None,
        receiver: RowReceiver | None = None,
        server: str | None = None,
        database: str | None = None,
    ) -> None:
        self._connection = connection
        self._batches = tuple(batches)
        self._drain = Drain(on_message, on_result, lambda: self._attention.requested, receiver)
        self._between = between
        self._server = server
        self._database = database
        self._open: tuple[pyodbc.Cursor, StatementHandle] | None = None
        self._attention = Attention()

    @property
    def cancel_requested(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._attention.requested

    def run(self) -> ScriptResult:
        """Send all batches in order and read all that comes back; to be called once.

        :returns: totals; also when a cancel came when nothing was running any more.
        :raises ScriptError: the engine refused a statement; ``number`` is that of its first error.
        :raises ScriptCancelledError: :meth:`cancel` stopped it. What was committed before stays.
        :raises ServerUnreachableError: the connection was dead before anything was sent.
        :raises OutcomeUnknownError: something was sent, and the connection broke before the script's end.
        """
        try:
            for index, batch in enumerate(self._batches):
                if index and self._between is not None:
                    self._between()
                place = ErrorPlace(index + 1, len(self._batches), batch.first_line)
                for _ in range(batch.count):
                    self._run_batch(batch, place)
            return self._drain.result
        finally:
            self._close()

    def cancel(self, *, patience: float = 10.0) -> bool:
        """Stop the run, from any thread; also before :meth:`run` was called, and harmlessly after it ended.

        The running batch is sent an attention, again and again until the server lets go of it, since one that overtakes
        the batch would be lost. No further batch is sent.

        :param patience: seconds to wait for the batch to end.
        :returns: whether nothing is running any more; ``False`` means the server has not answered yet.
        """
        return self._attention.send(patience)

    def _run_batch(self, batch: Batch, place: ErrorPlace) -> None:
        cursor, statement = self._opened(place)
        with self._attention.covers(cursor) as stopped:
            if stopped:
                raise ScriptCancelledError(
                    f"cancelled before {place} was sent", server=self._server, database=self._database
                )
            errors = self._drain.batch(statement, batch)
            alive = errors is None or connection_is_alive(self._connection)
        # The driver may report a statement that an attention ended as the batch's ordinary end (seen when it waits in
        # SQLMoreResults), so a batch that was sent one has never succeeded.
        if errors is None and not self._attention.sent:
            return
        raise error_of(
            errors or (),
            place,
            alive=alive,
            cancelled=self._attention.requested,
            server=self._server,
            database=self._database,
        )

    def _opened(self, place: ErrorPlace) -> tuple[pyodbc.Cursor, StatementHandle]:
        if not connection_is_alive(self._connection):
            raise self._lost_before(place)
        if self._open is None:
            cursor = self._connection.cursor()
            self._open = cursor, StatementHandle(cursor)
        return self._open

    def _lost_before(self, place: ErrorPlace) -> ElasticJobsError:
        text = f"the connection to {self._server}/{self._database} was lost before {place} was sent"
        if self._drain.result.batches == 0:
            return ServerUnreachableError(text, server=self._server, database=self._database)
        text += "; what was sent before it has run"
        return OutcomeUnknownError(text, server=self._server, database=self._database)

    def _close(self) -> None:
        if self._open is not None:
            close_statement(self._open[0])
            self._open = None
