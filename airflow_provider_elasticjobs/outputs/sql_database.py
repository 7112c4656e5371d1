"""Results in one table of a database: staged in the session's own table, moved in one short transaction at the end.

Rows go into a temporary table of the output's session as they come. The output's table is touched twice: when the first
result begins, to make or check it, and when the script has succeeded, by one transaction that deletes the rows of an
earlier attempt and inserts the staged ones. So no lock is held and no log is kept from being cut while a script runs,
targets do not wait for each other's scripts, and whatever ends the process before that moment leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.connections.connection_string import application_name_of
from airflow_provider_elasticjobs.exceptions import ElasticJobsError, OutcomeUnknownError, OutputError
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.outputs.table import INTERNAL_EXECUTION_ID, OutputTable
from airflow_provider_elasticjobs.outputs.writer import OutputRun, ResultSets
from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.bulk_insert import BulkInsert
from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType
from airflow_provider_elasticjobs.tsql.literals import literal, quote_identifier
from airflow_provider_elasticjobs.tsql.row_block import RowBlock
from airflow_provider_elasticjobs.tsql.row_reader import RowReceiver
from airflow_provider_elasticjobs.tsql.run import ScriptRun

if TYPE_CHECKING:
    import pyodbc

    from airflow_provider_elasticjobs.connections.connect import Connector

__all__ = ["SqlDatabasePlace", "SqlDatabaseWriter"]

_STAGE = "#elasticjobs_output"
_MOVE = """
SET XACT_ABORT ON;
BEGIN TRANSACTION;
DELETE FROM {table} WHERE {id_column} = {id};
INSERT INTO {table} ({columns}) SELECT {values} FROM {stage};
IF @@ROWCOUNT <> {rows} THROW 50000, N'not every row that was sent had been staged', 1;
COMMIT TRANSACTION;
"""


class SqlDatabasePlace:
    """A table that results go to.

    :param output: the output.
    :param connect: opens a connection to its server in autocommit mode.
    """

    def __init__(self, output: SqlDatabaseOutput, connect: Connector) -> None:
        self._output = output
        self._connect = connect

    def open(self, run: OutputRun) -> SqlDatabaseWriter:
        """Connect to the output's database, and return a writer for one attempt.

        :raises OutputError: if it cannot be connected to.
        """
        return SqlDatabaseWriter(self._output, run, self._connect)


class SqlDatabaseWriter:
    """Writes the rows of one attempt into the output's table.

    :param output: the output.
    :param run: the attempt.
    :param connect: opens a connection to its server in autocommit mode.
    :raises OutputError: if the database cannot be connected to.
    """

    def __init__(self, output: SqlDatabaseOutput, run: OutputRun, connect: Connector) -> None:
        self._output, self._run = output, run
        self._table = OutputTable(output)
        self._results = ResultSets(output, [INTERNAL_EXECUTION_ID.name])
        self._insert: BulkInsert | None = None
        self._rows = 0
        with self._said():
            self._connection: pyodbc.Connection = connect(
                output.server_name, output.database_name, application_name_of(run.job_execution_id)
            )

    def begin(self, columns: Sequence[ResultColumn]) -> bool:
        """Make ready for a result set; return whether its rows are wanted.

        :raises OutputError: if its columns do not fit the table, or cannot be written at all.
        """
        with self._said():
            if not self._results.begin(columns):
                return False
            if self._results.number == 1:
                self._prepare()
            self._end_insert()
            names = [quote_identifier(column.name) for column in columns]
            number = {"[result_set]": str(self._results.number)} if self._output.takes_all else None
            self._insert = BulkInsert(self._connection, _STAGE, names, number)
        return True

    def take(self, block: RowBlock) -> None:
        """Stage some rows.

        :raises OutputError: if the server refuses them, or does not answer.
        """
        assert self._insert is not None  # noqa: S101 narrows the type: begin was called
        with self._said(), self._run.stops(self._insert):
            self._insert.insert(block)
        self._rows += block.rows

    def commit(self) -> int:
        """Move the staged rows into the table, in place of an earlier attempt's; return how many they are.

        :raises OutputError: if there was no result set, or the rows cannot be moved. If the connection breaks just
            then, the error says that they may be there; the next attempt replaces them.
        """
        with self._said():
            self._results.refuse_none()
            self._end_insert()
            self._execute(self._move())
        return self._rows

    def close(self) -> None:
        """Close the connection; its temporary table goes with it."""
        self._end_insert()
        with suppress(Exception):
            self._connection.close()

    def _prepare(self) -> None:
        columns = [*self._results.columns, *self._results.added]
        self._execute(self._table.create_if_absent(columns))
        found = _Described()
        self._execute(self._table.describe(), found)
        self._table.check(found.columns, columns)
        staged = [f"{quote_identifier(one.name)} {_staged(one.sql_type)} NULL" for one in self._results.columns]
        if self._output.takes_all:
            staged.append("[result_set] int NOT NULL")
        self._execute(f"CREATE TABLE {_STAGE} ({', '.join(staged)});")

    def _move(self) -> str:
        values = {column.name: quote_identifier(column.name) for column in self._results.columns}
        if self._output.takes_all:
            values["result_set"] = "[result_set]"
        added = self._run.added_values()
        values |= {name: literal(added[name]) for name in self._output.add_columns}
        values[INTERNAL_EXECUTION_ID.name] = literal(self._run.internal_execution_id)
        return _MOVE.format(
            table=self._table.name,
            id_column=quote_identifier(INTERNAL_EXECUTION_ID.name),
            id=literal(self._run.internal_execution_id),
            columns=", ".join(quote_identifier(name) for name in values),
            values=", ".join(values.values()),
            stage=_STAGE,
            rows=self._rows,
        )

    def _execute(self, text: str, receiver: RowReceiver | None = None) -> None:
        script = ScriptRun(
            self._connection,
            [Batch(text)],
            receiver=receiver,
            server=self._output.server_name,
            database=self._output.database_name,
        )
        with self._run.stops(script):
            script.run()

    def _end_insert(self) -> None:
        if self._insert is not None:
            self._insert.close()
            self._insert = None

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Make every error say which output it is about."""
        try:
            yield
        except ElasticJobsError as error:
            known = "" if not isinstance(error, OutcomeUnknownError) else "whether the rows are there is not known: "
            raise OutputError(
                f"output {self._table.label}: {known}{error.message}",
                server=self._output.server_name,
                database=self._output.database_name,
                number=error.number,
            ) from error


class _Described:
    """Takes a result set's columns and none of its rows."""

    def __init__(self) -> None:
        self.columns: Sequence[ResultColumn] = ()

    def begin(self, columns: Sequence[ResultColumn]) -> bool:
        self.columns = columns
        return False

    def take(self, block: RowBlock) -> None:
        raise AssertionError(f"{block.rows} rows came that begin did not want")


def _staged(sql_type: SqlType) -> str:
    """Return the type of a staged column: text in Unicode, since code pages are the output table's own affair."""
    if sql_type.name in ("char", "varchar", "text", "ntext", "xml"):
        return f"nvarchar({sql_type.length if 0 < sql_type.length <= 4000 else 'max'})"
    return "varbinary(max)" if sql_type.name == "image" else sql_type.declaration
