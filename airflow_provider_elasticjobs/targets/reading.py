"""Running one query on one connection, and reading a bounded number of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.exceptions import DefinitionError, OutcomeUnknownError, ScriptError
from airflow_provider_elasticjobs.model.parameters import ParameterValue
from airflow_provider_elasticjobs.tsql.diagnostics import first_number, joined_text, parse_odbc_error
from airflow_provider_elasticjobs.tsql.parameters import parameterized

if TYPE_CHECKING:
    import pyodbc

__all__ = ["Rows", "read_rows"]


@dataclass(frozen=True)
class Rows:
    """A result set.

    :param columns: the names of its columns; empty for one without.
    :param rows: its rows.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def read_rows(
    connection: pyodbc.Connection, query: str, parameters: Mapping[str, ParameterValue], *, most: int, what: str
) -> Rows:
    """Return the first result set of a query.

    :param connection: a connection with autocommit on.
    :param query: one T-SQL batch; values are ``@name``.
    :param parameters: the values.
    :param most: most rows that it may give.
    :param what: what is read, for errors.
    :raises DefinitionError: if it gives more rows, or none as a query does.
    :raises ScriptError: if the server refuses it.
    :raises OutcomeUnknownError: if the connection broke.
    """
    import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed

    text, arguments = parameterized(query, parameters)
    try:
        with closing(connection.cursor()) as cursor:
            if arguments:
                cursor.setinputsizes([_size(argument, pyodbc) for argument in arguments])
            cursor.execute(text, *arguments)
            while cursor.description is None and cursor.nextset():
                pass
            if cursor.description is None:
                raise DefinitionError(f"{what} gives no rows: it must be a query")
            columns = tuple(str(column[0]) for column in cursor.description)
            rows = [tuple(row) for row in cursor.fetchmany(most + 1)]
            # An error behind the rows is in an answer of its own.
            while len(rows) <= most and cursor.nextset():
                pass
    except pyodbc.Error as error:
        records = parse_odbc_error(error)
    else:
        if len(rows) > most:
            raise DefinitionError(f"{what} gives more than {most} rows")
        return Rows(columns, rows)
    number = first_number(records)
    if number is None:
        raise OutcomeUnknownError(f"{what} was not answered: {joined_text(records)}")
    raise ScriptError(f"{what} was refused: {joined_text(records)}", number=number)


def _size(argument: str | bytes, driver: Any) -> tuple[int, int, int]:
    """Return the type of an argument, so that the driver does not ask the server for it; size 0 is (max)."""
    return (driver.SQL_WVARCHAR if isinstance(argument, str) else driver.SQL_VARBINARY), 0, 0
