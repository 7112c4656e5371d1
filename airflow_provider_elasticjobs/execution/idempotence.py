"""Whether a script may be run again: it is run twice on one database, in a transaction that is rolled back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import ElasticJobsError
from airflow_provider_elasticjobs.execution.snapshot import differences, take_snapshot
from airflow_provider_elasticjobs.execution.trial import check_can_be_tried, rolled_back
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet
from airflow_provider_elasticjobs.tsql.run import ScriptRun

if TYPE_CHECKING:
    import pyodbc

__all__ = ["DEFAULT_MAX_ROWS", "IdempotenceReport", "check_idempotence"]

#: Tables with more rows than this are counted, and their contents not compared.
DEFAULT_MAX_ROWS = 100_000

#: Lines of answers that are compared; a script that says more is compared as far as that.
_MAX_ANSWERS = 10_000


@dataclass(frozen=True)
class IdempotenceReport:
    """What two runs of a script did.

    :param failure: the error with which the second run ended; None if it ended well.
    :param changed: what the second run changed in the database that the first had left.
    :param answered: where the second run's messages and counts differ from the first's; no fault by itself: a script
        that finds its work done says so.
    :param first_changed: what the first run changed.
    :param not_compared: tables whose rows were counted only.
    """

    failure: str | None = None
    changed: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    first_changed: list[str] = field(default_factory=list)
    not_compared: list[str] = field(default_factory=list)

    @property
    def is_idempotent(self) -> bool:
        """Whether the second run went through and changed nothing more, as far as could be seen."""
        return self.failure is None and not self.changed


class _Recorded:
    """One run of the script, and what it answered."""

    def __init__(self, connection: pyodbc.Connection, batches: Sequence[Batch], target: Target) -> None:
        self.answers: list[str] = []
        self.error: ElasticJobsError | None = None
        self._run = ScriptRun(
            connection,
            batches,
            on_message=self._say,
            on_result=self._count,
            server=target.server_name,
            database=target.database_name,
        )

    def run(self) -> list[str]:
        try:
            self._run.run()
        except ElasticJobsError as error:
            self.error = error
            raise
        return self.answers

    def _say(self, message: Message) -> None:
        self._add(str(message))

    def _count(self, result: ResultSet) -> None:
        self._add(f"result set of {result.rows} row(s)" if result.columns else f"{result.rows} row(s) affected")

    def _add(self, answer: str) -> None:
        if len(self.answers) < _MAX_ANSWERS:
            self.answers.append(answer)


def check_idempotence(
    connection: pyodbc.Connection, batches: Sequence[Batch], target: Target, *, max_rows: int = DEFAULT_MAX_ROWS
) -> IdempotenceReport:
    """Run a script twice in one transaction, compare what the database holds after each run, and roll back.

    :param connection: an open connection to the target in autocommit mode, to be closed afterwards.
    :param batches: the script, its variables replaced.
    :param target: the database, for errors.
    :param max_rows: tables with more rows are counted, their contents not compared.
    :raises DefinitionError: if the script would get around the transaction.
    :raises ScriptError: if the first run fails already, or the script ends the transaction by itself.
    """
    check_can_be_tried(Trial.ROLLBACK, batches)
    report = IdempotenceReport()
    repeated = _Recorded(connection, batches, target)
    try:
        with rolled_back(connection, target):
            start = take_snapshot(connection, max_rows=max_rows)
            first = _Recorded(connection, batches, target).run()
            between = take_snapshot(connection, max_rows=max_rows)
            report = IdempotenceReport(first_changed=differences(start, between), not_compared=between.only_counted)
            second = repeated.run()
            end = take_snapshot(connection, max_rows=max_rows)
            return replace(report, changed=differences(between, end), answered=_differing_answers(first, second))
    except ElasticJobsError as error:
        if repeated.error is not error:
            raise
        return replace(report, failure=error.message)


def _differing_answers(first: list[str], second: list[str]) -> list[str]:
    if len(first) != len(second):
        return [f"{len(second)} answer(s), and {len(first)} the first time"]
    pairs = enumerate(zip(first, second, strict=True), start=1)
    return [f"answer {number}: {new}, and {old} the first time" for number, (old, new) in pairs if old != new]
