"""What the maker of an attempt knows of an output: it takes rows, and shows them once the script has succeeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import OutputError
from airflow_provider_elasticjobs.model.outputs import StepOutput
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.tsql.attention import Cancellable
from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType
from airflow_provider_elasticjobs.tsql.row_reader import RowReceiver

__all__ = ["OutputPlace", "OutputRun", "OutputWriter", "ResultSets"]

_RESULT_SET = ResultColumn("result_set", SqlType("int"))
_ADDED = {
    "server_name": ResultColumn("server_name", SqlType("nvarchar", 256)),
    "database_name": ResultColumn("database_name", SqlType("nvarchar", 128)),
    "job_execution_id": ResultColumn("job_execution_id", SqlType("uniqueidentifier")),
}


@dataclass(frozen=True)
class OutputRun:
    """The attempt whose rows are written.

    :param internal_execution_id: what marks the target's rows: the id of its row in the job database, the same in every
        attempt.
    :param job_execution_id: the run.
    :param target: the database that the rows come from.
    :param stops: makes what runs on the output's server something that a stop of the attempt stops, in a block.
    """

    internal_execution_id: UUID
    job_execution_id: UUID
    target: Target
    stops: Callable[[Cancellable], AbstractContextManager[None]]

    def added_values(self) -> dict[str, str | UUID]:
        """Return what the added columns hold, by their names."""
        return {
            "server_name": self.target.server_name,
            "database_name": self.target.database_name,
            "job_execution_id": self.job_execution_id,
        }


class OutputWriter(RowReceiver, Protocol):
    """Takes the rows of one attempt; raises :class:`OutputError` where they cannot be written."""

    def commit(self) -> int:
        """Show the attempt's rows in place of an earlier attempt's, and return how many they are."""

    def close(self) -> None:
        """Give everything back; rows that were not committed are gone. Raises nothing."""


class OutputPlace(Protocol):
    """Where a step's output goes."""

    def open(self, run: OutputRun) -> OutputWriter:
        """Return a writer for one attempt; the place is known to be there then."""


class ResultSets:
    """Which result sets of a script an output takes, and whether their columns will do.

    :param output: the output.
    :param reserved: names that a result's column must not have beside those of the added columns.
    """

    def __init__(self, output: StepOutput, reserved: Sequence[str] = ()) -> None:
        self._takes_all = output.takes_all
        self.added = [_ADDED[name] for name in output.add_columns] + ([_RESULT_SET] if output.takes_all else [])
        self._reserved = {name.casefold() for name in (*reserved, *(column.name for column in self.added))}
        self.columns: list[ResultColumn] = []
        self.number = 0

    def begin(self, columns: Sequence[ResultColumn]) -> bool:
        """Return whether the output takes the result set that begins.

        :raises OutputError: if it should, and cannot.
        """
        if self.number and not self._takes_all:
            return False
        self.number += 1
        if self.number == 1:
            _check_names(columns, self._reserved)
            self.columns = list(columns)
        elif list(columns) != self.columns:
            raise OutputError(
                f"result set {self.number} has the columns {_listed(columns)}, the first has {_listed(self.columns)}: "
                "with result_sets='all' they must be the same"
            )
        return True

    def refuse_none(self) -> None:
        """Raise if the script gave no result set.

        :raises OutputError: then.
        """
        if not self.number:
            raise OutputError("the script gave no result set, and its step has an output")


def _listed(columns: Sequence[ResultColumn]) -> str:
    return ", ".join(f"{column.name} {column.sql_type.declaration}" for column in columns)


def _check_names(columns: Sequence[ResultColumn], reserved: set[str]) -> None:
    seen: set[str] = set()
    for number, column in enumerate(columns, start=1):
        name = column.name.casefold()
        if not name:
            raise OutputError(f"column {number} of the result has no name: give it one (SELECT ... AS name)")
        if name in seen:
            raise OutputError(f"two columns of the result are called {column.name}: give one another name")
        if name in reserved:
            raise OutputError(f"the output has a column {column.name} of its own: call the result's another name")
        if not column.sql_type.is_known:
            raise OutputError(
                f"column {column.name} of the result is of the type {column.sql_type.name}, which cannot be written: "
                "CAST it to another"
            )
        seen.add(name)
