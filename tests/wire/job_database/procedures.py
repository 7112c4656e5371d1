"""Calling the procedures of schema ``jobs`` as a SQL client does, with literals and OUTPUT variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pyodbc
import pytest

from airflow_provider_elasticjobs.job_database.errors import error_numbers

#: OUTPUT parameters and their types (reference section 1).
OUTPUTS = {
    "sp_add_job": {"job_id": "uniqueidentifier"},
    "sp_add_jobstep": {"step_id": "int", "job_version": "int"},
    "sp_update_jobstep": {"job_version": "int"},
    "sp_delete_jobstep": {"job_version": "int"},
    "sp_start_job": {"job_execution_id": "uniqueidentifier"},
    "sp_add_target_group": {"target_group_id": "uniqueidentifier"},
    "sp_add_target_group_member": {"target_id": "uniqueidentifier"},
}


def literal(value: object) -> str:
    """Return a value as T-SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(int(value) if isinstance(value, bool) else value)
    if isinstance(value, UUID | datetime):
        return f"'{value}'"
    return "N'" + str(value).replace("'", "''") + "'"


@dataclass(frozen=True)
class Caught:
    """An error as a CATCH block sees it."""

    number: int
    state: int
    severity: int
    message: str
    open_transactions: int


class Procedures:
    """One connection of a SQL client to the job database."""

    def __init__(self, connection: pyodbc.Connection) -> None:
        self.connection = connection

    def script(self, sql: str) -> list[list[Any]]:
        """Run a batch, and return the rows of each of its result sets."""
        cursor = self.connection.execute(sql)
        results = []
        while True:
            if cursor.description is not None:
                results.append(cursor.fetchall())
            if not cursor.nextset():
                return results

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a query as dictionaries, ids as their text in lower case."""
        cursor = self.connection.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def call(self, procedure: str, *positional: object, **named: object) -> dict[str, Any]:
        """Execute a procedure, and return its OUTPUT values; its return code is 0, and it has no results."""
        declared, executed, asked = _call(procedure, positional, named)
        results = self.script(f"{declared}\n{executed}\nSELECT {', '.join(['@rc AS rc', *asked])};")
        assert len(results) == 1
        (row,) = results[0]
        assert row[0] == 0
        return dict(zip(OUTPUTS.get(procedure, {}), row[1:], strict=True))

    def caught(self, procedure: str, *positional: object, **named: object) -> Caught:
        """Execute a procedure that must fail, inside TRY, and return what CATCH sees."""
        declared, executed, _ = _call(procedure, positional, named)
        (rows,) = self.script(
            f"{declared}\nBEGIN TRY\n{executed}\nEND TRY\nBEGIN CATCH\nSELECT ERROR_NUMBER(), ERROR_STATE(),"
            " ERROR_SEVERITY(), ERROR_MESSAGE(), @@TRANCOUNT;\nEND CATCH;"
        )
        return Caught(*rows[0])

    def caught_or_called(self, procedure: str, *positional: object, **named: object) -> int:
        """Execute a procedure, and return the number of its error; 0 if it has none."""
        try:
            self.call(procedure, *positional, **named)
        except pyodbc.Error as error:
            return error_numbers(error)[0]
        return 0

    def refused(self, procedure: str, *positional: object, **named: object) -> str:
        """Execute a procedure that must fail with 50000, and return the message."""
        caught = self.caught(procedure, *positional, **named)
        assert (caught.number, caught.state, caught.severity, caught.open_transactions) == (50000, 1, 16, 0)
        with pytest.raises(pyodbc.Error) as raised:
            self.call(procedure, *positional, **named)
        assert error_numbers(raised.value) == (50000,)
        return caught.message

    @contextmanager
    def changes_nothing(self) -> Iterator[None]:
        """Assert that the definitions are the same after the block."""
        before = self.definitions()
        yield
        assert self.definitions() == before

    def definitions(self) -> Mapping[str, list[str]]:
        """Return what every view of definitions holds."""
        views = ("jobs", "job_versions", "jobstep_versions", "jobsteps", "target_groups", "target_group_members")
        return {view: sorted(map(str, self.script(f"SELECT * FROM jobs.{view};")[0])) for view in views}


def _call(procedure: str, positional: tuple[object, ...], named: Mapping[str, object]) -> tuple[str, str, list[str]]:
    outputs = OUTPUTS.get(procedure, {})
    given = {name: named[name] for name in outputs if name in named}
    declared = "DECLARE @rc int; " + " ".join(
        f"DECLARE @out_{name} {kind}{' = ' + literal(given[name]) if name in given else ''};"
        for name, kind in outputs.items()
    )
    arguments = [literal(value) for value in positional]
    arguments += [f"@{name} = {literal(value)}" for name, value in named.items() if name not in outputs]
    arguments += [f"@{name} = @out_{name} OUTPUT" for name in outputs]
    return declared, f"EXEC @rc = jobs.{procedure} {', '.join(arguments)};", [f"@out_{name}" for name in outputs]
