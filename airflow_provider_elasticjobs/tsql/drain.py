"""Reading all answers of a batch: none left unread, none kept, rows passed on to who wants them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace

from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.columns import columns_of
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic
from airflow_provider_elasticjobs.tsql.odbc import NO_DATA, SUCCESS, SUCCESS_WITH_INFO, StatementHandle
from airflow_provider_elasticjobs.tsql.parameters import parameterized
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet, ScriptResult
from airflow_provider_elasticjobs.tsql.row_reader import RowReceiver, blocks

__all__ = ["Drain"]

_ERRORS_KEPT = 20


class Drain:
    """Reads the answers of one batch after the other and keeps the totals.

    :param on_message: called with each message, in order.
    :param on_result: called with each result set or row count, when it has been read.
    :param stopped: asked between answers; once true, reading ends.
    :param receiver: takes the rows of result sets; without one they are let go.
    """

    def __init__(
        self,
        on_message: Callable[[Message], None] | None,
        on_result: Callable[[ResultSet], None] | None,
        stopped: Callable[[], bool],
        receiver: RowReceiver | None = None,
    ) -> None:
        self._on_message = on_message
        self._on_result = on_result
        self._stopped = stopped
        self._receiver = receiver
        self.result = ScriptResult()

    def batch(self, statement: StatementHandle, batch: Batch) -> list[Diagnostic] | None:
        """Send a batch and read it to its end.

        :param statement: a statement with nothing running.
        :param batch: what to send.
        :returns: ``None`` if all of it succeeded; else its errors, at most 20, perhaps none (stopped).
        """
        self.result = replace(self.result, batches=self.result.batches + 1)
        errors: list[Diagnostic] = []
        status = statement.execute(*parameterized(batch.text, batch.parameters))
        answers = 0
        while status != NO_DATA or answers == 0:  # a first "no data" is a statement that changed no row
            answers += 1
            self._note(statement, status, batch, errors)
            stopped = self._stopped()  # asked first: a batch that then turns out to be at its end has succeeded
            if status in (SUCCESS, SUCCESS_WITH_INFO) and not stopped:
                self._read(statement, batch, errors)
            if errors and not errors[-1].from_server:
                return errors
            status = statement.next_result()
            if stopped and status != NO_DATA:
                self._note(statement, status, batch, errors)
                return errors
        return errors or None

    def _note(self, statement: StatementHandle, status: int, batch: Batch, errors: list[Diagnostic]) -> None:
        if status in (SUCCESS, NO_DATA):
            return
        failed = status != SUCCESS_WITH_INFO
        for diagnostic in statement.diagnostics():
            self._pass_on(diagnostic, batch)
            if diagnostic.is_error and len(errors) < _ERRORS_KEPT:
                errors.append(diagnostic)
                failed = False
        if failed and not errors:
            errors.append(Diagnostic(0, f"the driver failed without a reason (status {status})", from_server=False))

    def _pass_on(self, diagnostic: Diagnostic, batch: Batch) -> None:
        self.result = replace(self.result, messages=self.result.messages + 1)
        if self._on_message is not None:
            self._on_message(Message.of(diagnostic, batch.first_line))

    def _read(self, statement: StatementHandle, batch: Batch, errors: list[Diagnostic]) -> None:
        columns = statement.column_count()
        if columns == 0:
            self._count_changes(statement.affected_rows())
            return
        rows = 0
        with closing(self._fetched(statement, lambda status: self._note(statement, status, batch, errors))) as fetched:
            for count in fetched:
                rows += count
                if self._stopped():
                    return
        if not errors:
            self.result = replace(self.result, result_sets=self.result.result_sets + 1, rows=self.result.rows + rows)
            self._report(ResultSet(columns, rows))

    def _fetched(self, statement: StatementHandle, note: Callable[[int], None]) -> Generator[int, None, None]:
        """Read a result set in blocks, pass them on if they are wanted, and yield how many rows each has."""
        receiver = self._receiver
        if receiver is not None and receiver.begin(columns := columns_of(statement)):
            with closing(blocks(statement, columns, note)) as read:
                for block in read:
                    receiver.take(block)
                    yield block.rows
            return
        status, rows = statement.fetch_block()
        while status in (SUCCESS, SUCCESS_WITH_INFO):
            note(status)
            yield rows
            status, rows = statement.fetch_block()
        note(status)

    def _count_changes(self, rows: int) -> None:
        if rows < 0:
            return
        self.result = replace(self.result, affected_rows=self.result.affected_rows + rows)
        self._report(ResultSet(0, rows))

    def _report(self, result_set: ResultSet) -> None:
        if self._on_result is not None:
            self._on_result(result_set)
