from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.diagnostics import Diagnostic
from airflow_provider_elasticjobs.tsql.drain import Drain
from airflow_provider_elasticjobs.tsql.odbc import NO_DATA, SUCCESS, SUCCESS_WITH_INFO
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet

ERROR = -1
_PRINT = Diagnostic(0, "hello", "01000", severity=0, line=1)
_FAULT = Diagnostic(8134, "Divide by zero", "22012", severity=16, line=2)
_LOST = Diagnostic(104, "Communication link failure", "08S01", from_server=False)


@dataclass
class Answer:
    """One answer of the server: status, records, and either rows (in blocks) or a row count."""

    status: int = SUCCESS
    records: list[Diagnostic] = field(default_factory=list)
    columns: int = 0
    blocks: list[tuple[int, int, list[Diagnostic]]] = field(default_factory=list)
    affected: int = -1


class ScriptedStatement:
    """Plays answers in place of an ODBC statement."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = iter(answers)
        self._blocks: Iterator[tuple[int, int, list[Diagnostic]]] = iter(())
        self._records: list[Diagnostic] = []
        self._answer = Answer()
        self.answers_read = 0

    def execute(self, text: str, _arguments: object = ()) -> int:
        return self.next_result()

    def next_result(self) -> int:
        self._answer = next(self._answers, Answer(NO_DATA))
        self._blocks, self._records = iter(self._answer.blocks), self._answer.records
        self.answers_read += 1
        return self._answer.status

    def column_count(self) -> int:
        return self._answer.columns

    def affected_rows(self) -> int:
        return self._answer.affected

    def fetch_block(self) -> tuple[int, int]:
        status, rows, self._records = next(self._blocks, (NO_DATA, 0, []))
        return status, rows

    def diagnostics(self) -> Iterator[Diagnostic]:
        yield from self._records


class Heard:
    """What the callbacks were given."""

    def __init__(self) -> None:
        self.events: list[Message | ResultSet] = []

    def drain(self, *answers: Answer, stop_after: int | None = None) -> tuple[Drain, list[Diagnostic] | None]:
        statement = ScriptedStatement(*answers)
        drain = Drain(
            self.events.append,
            self.events.append,
            lambda: stop_after is not None and statement.answers_read > stop_after,
        )
        return drain, drain.batch(statement, Batch("x", 1, 10))  # type: ignore[arg-type]


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_all_answers_are_read_and_counted_in_order(heard: Heard) -> None:
    drain, errors = heard.drain(
        Answer(SUCCESS_WITH_INFO, [_PRINT]),
        Answer(columns=2, blocks=[(SUCCESS, 1000, []), (SUCCESS, 7, [])]),
        Answer(affected=3),
        Answer(),
    )
    assert errors is None
    assert heard.events == [Message(0, "hello", 0, 10), ResultSet(2, 1007), ResultSet(0, 3)]
    result = drain.result
    assert (result.batches, result.result_sets, result.rows, result.affected_rows, result.messages) == (
        1,
        1,
        1007,
        3,
        1,
    )


def test_a_first_no_data_is_a_statement_without_rows_and_not_the_end(heard: Heard) -> None:
    _, errors = heard.drain(Answer(NO_DATA), Answer(ERROR, [_FAULT]))
    assert errors == [_FAULT]


@pytest.mark.parametrize("status", [ERROR, SUCCESS_WITH_INFO])
def test_an_error_while_rows_are_read_is_an_error(heard: Heard, status: int) -> None:
    drain, errors = heard.drain(Answer(columns=1, blocks=[(SUCCESS, 1000, []), (status, 3, [_FAULT])]))
    assert errors == [_FAULT]
    assert drain.result.result_sets == 0


def test_answers_behind_an_error_are_still_read(heard: Heard) -> None:
    _, errors = heard.drain(
        Answer(ERROR, [_FAULT]), Answer(columns=1, blocks=[(SUCCESS, 1, [])]), Answer(ERROR, [_FAULT])
    )
    assert errors == [_FAULT, _FAULT]


def test_a_lost_connection_ends_the_reading(heard: Heard) -> None:
    _, errors = heard.drain(Answer(ERROR, [_LOST]), Answer(ERROR, [_FAULT]))
    assert errors == [_LOST]


def test_a_failure_without_a_record_is_a_failure(heard: Heard) -> None:
    _, errors = heard.drain(Answer(ERROR))
    assert errors is not None
    assert not errors[0].from_server


def test_being_stopped_ends_the_reading_without_an_error(heard: Heard) -> None:
    _, errors = heard.drain(Answer(affected=1), Answer(affected=2), Answer(affected=3), stop_after=1)
    assert errors == []
    assert heard.events == [ResultSet(0, 1)]


def test_a_stop_finds_the_cancelled_answer_behind_the_current_one(heard: Heard) -> None:
    cancelled = Diagnostic(0, "Operation canceled", "HY008", from_server=False)
    _, errors = heard.drain(Answer(affected=1), Answer(), Answer(ERROR, [cancelled]), stop_after=1)
    assert errors == [cancelled]


def test_a_stop_that_comes_after_the_last_answer_changes_nothing(heard: Heard) -> None:
    _, errors = heard.drain(Answer(affected=1), stop_after=1)
    assert errors is None


def test_no_more_errors_are_kept_than_a_message_can_show(heard: Heard) -> None:
    _, errors = heard.drain(*[Answer(ERROR, [_FAULT])] * 500)
    assert errors is not None
    assert len(errors) == 20
    assert len(heard.events) == 500
