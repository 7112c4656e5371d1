"""One script on one connection, with the real driver."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import ScriptCancelledError, ScriptError
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.results import Message, ResultSet, ScriptResult
from airflow_provider_elasticjobs.tsql.run import ScriptRun


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    return new_database()


class Script:
    """A script run on a connection of its own, with all that it said."""

    def __init__(self, connection: Any, text: str) -> None:
        self.messages: list[Message] = []
        self.results: list[ResultSet] = []
        self.run = ScriptRun(
            connection,
            split_batches(text),
            on_message=self.messages.append,
            on_result=self.results.append,
            server="s",
            database="d",
        )

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.messages]


@pytest.fixture
def script(server: Any, database: str) -> Iterator[Callable[[str], Script]]:
    opened = []

    def make(text: str) -> Script:
        opened.append(server.connect(database))
        return Script(opened[-1], text)

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def table(server: Any, database: str) -> Iterator[str]:
    name = f"t{threading.get_ident()}"
    server.execute(f"CREATE TABLE {name}(a int NOT NULL)", database)
    yield name
    server.execute(f"DROP TABLE {name}", database)


def test_every_answer_is_read_in_order(script: Callable[[str], Script], table: str) -> None:
    one = script(f"PRINT 'first'; INSERT {table} VALUES (1), (2); SELECT a, a FROM {table}; PRINT 'last'")
    result = one.run.run()
    assert one.texts == ["first", "last"]
    assert one.results == [ResultSet(0, 2), ResultSet(2, 2)]
    assert result == ScriptResult(batches=1, result_sets=1, rows=2, affected_rows=2, messages=2)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1/0",
        "SELECT 1 AS a; SELECT 1/0; SELECT 2 AS b",
        "PRINT 'a'; SELECT 1/0",
        "SELECT 1 AS a\nGO\nSELECT 1/0",
    ],
)
def test_a_division_by_zero_in_any_result_fails_with_the_engines_number(
    script: Callable[[str], Script], text: str
) -> None:
    with pytest.raises(ScriptError, match="8134") as caught:
        script(text).run.run()
    assert caught.value.number == 8134
    assert (caught.value.server, caught.value.database) == ("s", "d")
    assert "[Microsoft]" not in str(caught.value)


def test_answers_behind_an_error_are_read_and_later_batches_are_not_sent(script: Callable[[str], Script]) -> None:
    one = script("SELECT 1 AS a; SELECT 1/0; PRINT 'goes on'\nGO\nPRINT 'never'")
    with pytest.raises(ScriptError, match="batch 1 of 2"):
        one.run.run()
    assert one.texts[-1] == "goes on"
    assert one.messages[0].is_error


def test_print_and_raiserror_are_messages_with_severity(script: Callable[[str], Script]) -> None:
    one = script("PRINT 'p'\nGO\nRAISERROR('r', 10, 1)\nGO\nPRINT N'\u00fcn\u00efc\u00f6de \U0001f600'")
    one.run.run()
    assert one.texts == ["p", "r", "\u00fcn\u00efc\u00f6de \U0001f600"]
    assert not any(message.is_error for message in one.messages)
    assert all(message.severity is not None and message.severity <= 10 for message in one.messages)


def test_messages_have_their_state_and_procedure(script: Callable[[str], Script], server: Any, database: str) -> None:
    name = f"p{threading.get_ident()}"
    server.execute(f"CREATE PROCEDURE {name} AS\nPRINT 'inside';\nRAISERROR('inner', 16, 7);", database)
    one = script(f"PRINT 'before';\n\nRAISERROR('outer', 16, 3);\nEXEC {name};")
    with pytest.raises(ScriptError, match="outer"):
        one.run.run()
    _, outer, inside, inner = one.messages
    assert (outer.state, outer.procedure, inner.state) == (3, None, 7)
    if is_babelfish(server):
        pytest.skip("Babelfish does not tell the procedure")
    assert [str(one.procedure).removeprefix("dbo.") for one in (inside, inner)] == [name, name]
    assert (outer.line, inner.line) == (3, 3)


def is_babelfish(server: Any) -> bool:
    return "Babelfish" in str(server.execute("SELECT @@VERSION;")[0][0])


def test_all_errors_of_a_batch_are_told_and_the_first_gives_the_number(script: Callable[[str], Script]) -> None:
    with pytest.raises(ScriptError) as caught:
        script("PRINT 'a'; SELECT 1/0; RAISERROR('second', 16, 1); PRINT 'b'").run.run()
    assert caught.value.number == 8134
    first, second = str(caught.value).splitlines()
    assert first.startswith("Msg 8134, Level 16, Line 1: ")
    assert second == "Msg 50000, Level 16, Line 1: second"


@pytest.mark.sandbox_only  # Babelfish gives every message severity 0
@pytest.mark.parametrize("severity", range(10))  # the engine gives 10 as 0
def test_the_severity_of_a_message_is_the_engines(script: Callable[[str], Script], severity: int) -> None:
    one = script(f"\nRAISERROR('r', {severity}, 1)")
    one.run.run()
    assert [(message.severity, message.text) for message in one.messages] == [(severity, "r")]


def test_raiserror_and_throw_fail_with_number_severity_and_line(script: Callable[[str], Script]) -> None:
    for text, number in (("\n\nRAISERROR('bad', 16, 1)", 50000), ("\n\nTHROW 51234, 'bad', 1", 51234)):
        one = script(text)
        with pytest.raises(ScriptError, match="bad") as caught:
            one.run.run()
        assert caught.value.number == number
        assert one.messages[-1].severity == 16
        assert one.messages[-1].line is not None


def test_go_with_a_count_sends_the_batch_as_often(script: Callable[[str], Script], table: str) -> None:
    one = script(f"INSERT {table} VALUES (1)\nGO 3\nSELECT a FROM {table}")
    assert one.run.run() == ScriptResult(batches=4, result_sets=1, rows=3, affected_rows=3)
    assert one.results[-1] == ResultSet(1, 3)


def test_a_select_behind_a_select_is_sent_as_a_batch_and_not_as_a_server_cursor(
    script: Callable[[str], Script],
) -> None:
    one = script("SELECT 1 AS a\nGO 2\nSELECT 2 AS b; PRINT 'a batch'")
    assert one.run.run() == ScriptResult(batches=3, result_sets=3, rows=3, messages=1)


def test_batches_share_a_session(script: Callable[[str], Script]) -> None:
    one = script("CREATE TABLE #t(a int)\nGO\nINSERT #t VALUES (1)\nGO\nSELECT a FROM #t")
    assert one.run.run().rows == 1


def test_a_caught_error_is_no_failure(script: Callable[[str], Script]) -> None:
    one = script("BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH PRINT 'caught' END CATCH")
    one.run.run()
    assert one.texts == ["caught"]


def test_each_statement_commits_by_itself(
    script: Callable[[str], Script], server: Any, database: str, table: str
) -> None:
    with pytest.raises(ScriptError):
        script(f"INSERT {table} VALUES (1)\nGO\nSELECT 1/0").run.run()
    assert server.execute(f"SELECT COUNT(*) FROM {table}", database) == [(1,)]


def test_a_script_without_batches_succeeds_with_nothing_done(script: Callable[[str], Script]) -> None:
    assert script("-- nothing").run.run() == ScriptResult()


def test_rows_and_large_values_are_let_go(script: Callable[[str], Script], table: str) -> None:
    fill = f"INSERT {table} SELECT a.a FROM {table} a CROSS JOIN {table} b\nGO 2\n"
    one = script(f"INSERT {table} VALUES (1), (2), (3), (4)\nGO\n{fill}SELECT a, REPLICATE('x', 4000) FROM {table}")
    tracemalloc.start()
    result = one.run.run()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.rows == 420
    assert peak < 500_000  # 420 values of 4,000 characters are 1.7 MB


def test_types_that_the_driver_layer_cannot_convert_are_no_failure(script: Callable[[str], Script]) -> None:
    assert script("SELECT SYSDATETIMEOFFSET() AS a").run.run().rows == 1


def test_a_callback_that_fails_leaves_the_connection_usable(server: Any, database: str) -> None:
    def fail(message: Message) -> None:
        raise ZeroDivisionError

    with closing(server.connect(database)) as connection:
        with pytest.raises(ZeroDivisionError):
            ScriptRun(connection, split_batches("PRINT 'a'; SELECT 1 AS a"), on_message=fail).run()
        assert ScriptRun(connection, split_batches("SELECT 1 AS a")).run().rows == 1


def test_a_cancel_before_the_run_holds(script: Callable[[str], Script], server: Any, database: str, table: str) -> None:
    one = script(f"INSERT {table} VALUES (1)")
    assert one.run.cancel()
    with pytest.raises(ScriptCancelledError, match="before the script was sent"):
        one.run.run()
    assert server.execute(f"SELECT COUNT(*) FROM {table}", database) == [(0,)]


def test_a_cancel_after_the_end_is_harmless(script: Callable[[str], Script]) -> None:
    one = script("SELECT 1 AS a")
    one.run.run()
    assert one.run.cancel()


def test_a_cancel_between_batches_stops_before_the_next(server: Any, database: str) -> None:
    with closing(server.connect(database)) as connection:
        seen: list[str] = []
        run: ScriptRun

        def on_message(message: Message) -> None:
            seen.append(message.text)
            if message.text == "one":
                threading.Thread(target=run.cancel).start()
                while not run.cancel_requested:
                    pass

        run = ScriptRun(connection, split_batches("PRINT 'one'\nGO\nPRINT 'two'"), on_message=on_message)
        with pytest.raises(ScriptCancelledError):
            run.run()
    assert seen == ["one"]


class Background:
    """A run in a thread of its own, and how it ended."""

    def __init__(self, run: ScriptRun) -> None:
        self.outcome: Any = None
        self._run = run
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.outcome = self._run.run()
        except Exception as error:  # noqa: BLE001 - whatever it is, the test judges it
            self.outcome = error

    def join(self) -> Any:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.outcome


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
@pytest.mark.parametrize("text", ["WAITFOR DELAY '00:01:00'", "PRINT 'a'; WAITFOR DELAY '00:01:00'; PRINT 'b'"])
def test_a_cancel_reaches_the_server_while_it_works(
    script: Callable[[str], Script], server: Any, database: str, text: str
) -> None:
    one = script(text)
    background = Background(one.run)
    assert one.run.cancel(patience=20)  # again and again, so no matter whether the batch has arrived
    outcome = background.join()
    assert isinstance(outcome, ScriptCancelledError)
    assert "b" not in one.texts


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_other_threads_go_on_while_one_waits_for_the_server(script: Callable[[str], Script]) -> None:
    waiting = script("WAITFOR DELAY '00:01:00'")
    background = Background(waiting.run)
    assert script("SELECT 1 AS a").run.run().rows == 1
    assert background.outcome is None
    assert waiting.run.cancel(patience=20)
    background.join()


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_what_was_committed_before_a_cancel_stays(
    script: Callable[[str], Script], server: Any, database: str, table: str
) -> None:
    one = script(f"INSERT {table} VALUES (1)\nGO\nPRINT 'waiting'\nGO\nWAITFOR DELAY '00:01:00'")
    background = Background(one.run)
    while "waiting" not in one.texts:
        assert background.outcome is None
    assert one.run.cancel(patience=20)
    assert isinstance(background.join(), ScriptCancelledError)
    assert server.execute(f"SELECT COUNT(*) FROM {table}", database) == [(1,)]


@pytest.mark.needs_waitfor
@pytest.mark.needs_cancel
def test_forty_scripts_at_once_are_all_cancelled(script: Callable[[str], Script]) -> None:
    scripts = [script("WAITFOR DELAY '00:01:00'") for _ in range(40)]
    running = [Background(each.run) for each in scripts]
    assert all(each.run.cancel(patience=20) for each in scripts)
    assert {type(each.join()) for each in running} == {ScriptCancelledError}
