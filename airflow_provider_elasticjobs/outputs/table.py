"""The table of an output: made from a result's columns, or checked against them."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_elasticjobs.exceptions import OutputError
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType
from airflow_provider_elasticjobs.tsql.literals import literal, quote_identifier

__all__ = ["INTERNAL_EXECUTION_ID", "OutputTable"]

#: The column that Elastic Jobs adds (reference 4).
INTERNAL_EXECUTION_ID = ResultColumn("internal_execution_id", SqlType("uniqueidentifier"))

_NAME_LENGTH = 128
#: Whoever comes second waits for the first, and finds the table.
_CREATE = """
SET XACT_ABORT ON;
IF OBJECT_ID({object}) IS NULL
BEGIN
    BEGIN TRANSACTION;
    EXEC sp_getapplock @Resource = {lock}, @LockMode = 'Exclusive', @LockOwner = 'Transaction', @LockTimeout = 60000;
    IF OBJECT_ID({object}) IS NULL
    BEGIN
        CREATE TABLE {table} ({columns}, {id} uniqueidentifier NOT NULL);
        CREATE NONCLUSTERED INDEX {index} ON {table} ({id});
    END;
    COMMIT TRANSACTION;
END;
"""


class OutputTable:
    """T-SQL for an output's table, and the check of what is there.

    :param output: the output.
    :raises DefinitionError: if a name cannot be written.
    """

    def __init__(self, output: SqlDatabaseOutput) -> None:
        self.name = f"{quote_identifier(output.schema_name)}.{quote_identifier(output.table_name)}"
        self.label = f"{self.name} on {output.server_name}/{output.database_name}"
        self._index = quote_identifier(f"IX_{output.table_name}_Internal_Execution_ID"[:_NAME_LENGTH])

    def create_if_absent(self, columns: Sequence[ResultColumn]) -> str:
        """Return a batch that makes the table unless it is there; any number of sessions may send it at once.

        :param columns: the result's and the added ones.
        """
        definitions = (f"{quote_identifier(one.name)} {one.sql_type.declaration} NULL" for one in columns)
        return _CREATE.format(
            object=literal(self.name),
            lock=literal(f"elasticjobs output {self.name}"[:255]),
            table=self.name,
            columns=", ".join(definitions),
            id=quote_identifier(INTERNAL_EXECUTION_ID.name),
            index=self._index,
        )

    def describe(self) -> str:
        """Return a query whose result has the table's columns and no row."""
        return f"SELECT * FROM {self.name} WHERE 1 = 0;"

    def check(self, found: Sequence[ResultColumn], columns: Sequence[ResultColumn]) -> None:
        """Compare the table's columns with what is to be written.

        :param found: the table's.
        :param columns: the result's and the added ones.
        :raises OutputError: naming each column that is missing or has another type.
        """
        there = {column.name.casefold(): column.sql_type for column in found}
        wrong = [
            f"column {column.name}: expected {column.sql_type.declaration}, found {_said(there, column)}"
            for column in (*columns, INTERNAL_EXECUTION_ID)
            if not _holds(there.get(column.name.casefold()), column.sql_type)
        ]
        if wrong:
            raise OutputError(f"the table does not fit the result: {'; '.join(wrong)}")


def _said(there: dict[str, SqlType], column: ResultColumn) -> str:
    found = there.get(column.name.casefold())
    return "none" if found is None else found.declaration


def _holds(found: SqlType | None, wanted: SqlType) -> bool:
    """Return whether a column takes every value as it is; one that is too long for it is refused by the server."""
    if found is None or found.name != wanted.name:
        return False
    if found.name in ("char", "nchar", "binary"):
        return found.length == wanted.length
    if found.scale < wanted.scale:
        return False
    return found.name != "decimal" or found.precision - found.scale >= wanted.precision - wanted.scale
