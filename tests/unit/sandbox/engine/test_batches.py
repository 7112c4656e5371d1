# ruff: noqa: E501 - one case a line
"""Control flow, variables, messages, errors, TRY and CATCH, procedures, transactions."""

from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, SqlType
from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession
from tests.unit.sandbox.engine.conftest import Answer, Run

T = "CREATE TABLE t (id int PRIMARY KEY, v nvarchar(5) NULL CHECK (v <> 'bad'));"


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("DECLARE @i int = 1; WHILE @i < 4 BEGIN SET @i += 1; IF @i = 3 CONTINUE; PRINT @i END", ["2", "4"]),
        ("WHILE 1 = 1 BEGIN PRINT 'once'; BREAK END PRINT 'end'", ["once", "end"]),
        ("IF 1 = 2 PRINT 'a' ELSE IF 1 = 1 PRINT 'b' ELSE PRINT 'c'", ["b"]),
        ("IF NULL = NULL PRINT 'a'; ELSE PRINT 'b'", ["b"]),
        ("PRINT 'a'; RETURN; PRINT 'b'", ["a"]),
        ("RAISERROR('%s has %d', 0, 1, 'x', 3) WITH NOWAIT", ["x has 3"]),
        ("DECLARE @x nvarchar(10), @y int; SELECT @x = 'a', @y = 2; PRINT @x + CAST(@y AS varchar(5))", ["a2"]),
        ("DECLARE @x varchar(20) = ''; SELECT @x = @x + n FROM (VALUES ('a'), ('b')) AS v(n); PRINT @x", ["ab"]),
        ("BEGIN TRY SELECT 1/0; PRINT 'no' END TRY BEGIN CATCH PRINT ERROR_MESSAGE() END CATCH", ["Divide by zero error encountered."]),
        ("BEGIN TRY THROW 50005, 'mine', 7 END TRY BEGIN CATCH PRINT CONCAT(ERROR_NUMBER(), ERROR_STATE(), ERROR_SEVERITY()) END CATCH", ["50005716"]),
        ("BEGIN TRY BEGIN TRY RAISERROR('in', 16, 1) END TRY BEGIN CATCH THROW END CATCH END TRY BEGIN CATCH PRINT 'out ' + ERROR_MESSAGE() END CATCH", ["out in"]),
        ("BEGIN TRY EXEC ('SELECT * FROM missing') END TRY BEGIN CATCH PRINT ERROR_NUMBER() END CATCH", ["208"]),
        ("DECLARE @d int; EXEC sp_executesql N'SET @o = @i * 2', N'@i int, @o int OUTPUT', @i = 4, @o = @d OUTPUT; PRINT @d", ["8"]),
        ("DECLARE c CURSOR FOR SELECT n FROM (VALUES (1), (2)) AS v(n); DECLARE @n int; OPEN c; FETCH NEXT FROM c INTO @n; WHILE @@FETCH_STATUS = 0 BEGIN PRINT @n; FETCH NEXT FROM c INTO @n END; CLOSE c; DEALLOCATE c", ["1", "2"]),
        ("IF 1 = 1 -- note\n/* a /* nested */ one */ PRINT 'x'", ["x"]),
    ],
)  # fmt: skip
def test_messages(run: Run, sql: str, texts: list[str]) -> None:
    answer = run(sql)
    assert answer.errors == []
    assert answer.texts == texts


@pytest.mark.parametrize(
    ("sql", "numbers", "goes_on"),
    [
        ("SELECT 1/0", [8134], True),
        ("INSERT t (id) VALUES (NULL)", [515], True),
        ("INSERT t (id) VALUES (1), (1)", [2627], True),
        ("INSERT t VALUES (1, 'bad')", [547], True),
        ("INSERT t VALUES (1, 'too long')", [2628], True),
        ("EXEC missing", [2812], True),
        ("DROP TABLE missing", [3701], True),
        ("CREATE TABLE t (a int)", [2714], True),
        ("COMMIT", [3902], True),
        ("ROLLBACK", [3903], True),
        ("RAISERROR('x', 16, 1)", [50000], True),
        ("THROW 50001, 'x', 1", [50001], False),
        ("SELECT CAST('a' AS int)", [245], False),
        ("SELECT * FROM missing", [208], False),
        ("BEGIN TRY SELECT * FROM missing END TRY BEGIN CATCH PRINT 'not caught' END CATCH", [208], False),
        ("SET XACT_ABORT ON; SELECT 1/0", [8134], False),
        ("BEGIN TRY SELECT 1/0 END TRY BEGIN CATCH THROW END CATCH", [8134], False),
        ("USE master", [40508], False),
    ],
)
def test_what_an_error_ends(run: Run, sql: str, numbers: list[int], goes_on: bool) -> None:
    run(T)
    answer = run(f"{sql}; PRINT 'after'")
    assert answer.numbers == numbers
    assert answer.texts == (["after"] if goes_on else [])


def test_parseonly_lets_batches_be_parsed_and_nothing_run(run: Run) -> None:
    run("CREATE TABLE t (a int)")
    # It counts when it is parsed: also for what stands before it in its batch, and where it is never come to.
    assert run("INSERT t VALUES (1); IF 1 = 0 SET PARSEONLY ON").counts == []
    assert run("SELECT * FROM missing; PRINT 'run'").texts == []
    assert run("SELECT 1 +").numbers == [102]
    run("IF 1 = 0 SET PARSEONLY OFF")
    assert run("SELECT COUNT(*) FROM t").value == 0


def test_a_syntax_error_stops_the_batch_before_anything_runs(run: Run) -> None:
    answer = run("PRINT 'a'\nSELECT 1 +")
    assert (answer.numbers, answer.texts, answer.errors[0].line) == ([102], [], 2)


def test_error_line_and_procedure(run: Run) -> None:
    run("CREATE PROCEDURE p AS\nSELECT 1;\nSELECT 1/0;")
    error = run("\n\nEXEC p").errors[0]
    assert (error.line, error.procedure) == (3, "dbo.p")


def test_severity_ten_is_sent_as_zero_and_nowait_flushes(run: Run) -> None:
    answer = run("RAISERROR('x', 10, 1) WITH NOWAIT")
    assert (answer.messages[0].severity, answer.flushes) == (0, 1)


P = """CREATE PROCEDURE dbo.p @a int, @b nvarchar(10) = 'def', @c int = NULL OUTPUT AS
BEGIN SET NOCOUNT ON; SET @c = @a * 2; SELECT @a AS a, @b AS b; RETURN 7 END"""


def test_a_procedure_answers_rows_outputs_and_status(run: Run) -> None:
    run(P)
    answer = run("DECLARE @s int, @o int; EXEC @s = dbo.p 5, @c = @o OUTPUT; SELECT @s, @o")
    assert [rows for _, rows in answer.results] == [[[5, "def"]], [[7, 10]]]


def test_a_call_by_name(session: EngineSession, run: Run) -> None:
    run(P)
    answer = Answer()
    integer = SqlType("int")
    session.call("[dbo].[p]", [Parameter("", integer, 3), Parameter("@c", integer, None, is_output=True)], answer)
    assert (answer.status, answer.outputs, answer.rows) == (7, {"@c": 6}, [[3, "def"]])


@pytest.mark.parametrize(
    ("call", "number"),
    [("EXEC p", 201), ("EXEC p 1, 2, 3, 4", 8144), ("EXEC p @a = 1, @x = 2", 8145), ("DECLARE @o nvarchar(9); EXEC p 1, @o OUTPUT", 8162)],
)  # fmt: skip
def test_wrong_arguments(run: Run, call: str, number: int) -> None:
    run(P)
    assert run(call).numbers == [number]


def test_endless_recursion_ends_with_217(run: Run) -> None:
    run("CREATE PROCEDURE again AS EXEC again")
    assert run("EXEC again").numbers == [217]


def test_rollback_undoes_and_savepoints_undo_a_part(run: Run) -> None:
    run(T)
    run("BEGIN TRAN; INSERT t (id) VALUES (1); SAVE TRAN s; INSERT t (id) VALUES (2); ROLLBACK TRAN s; COMMIT")
    run("BEGIN TRAN; INSERT t (id) VALUES (3); CREATE TABLE u (a int); ROLLBACK")
    assert run("SELECT id FROM t").rows == [[1]]
    assert run("SELECT OBJECT_ID('u')").value is None


def test_a_statement_that_fails_leaves_none_of_its_rows(run: Run) -> None:
    run(T)
    run("BEGIN TRAN; INSERT t (id) VALUES (1); INSERT t (id) VALUES (2), (1); COMMIT")
    assert run("SELECT id FROM t").rows == [[1]]


def test_xact_abort_dooms_the_transaction_in_catch(run: Run) -> None:
    run(T)
    answer = run(
        "SET XACT_ABORT ON; BEGIN TRY BEGIN TRAN; INSERT t (id) VALUES (1); SELECT 1/0 END TRY"
        " BEGIN CATCH SELECT XACT_STATE(); COMMIT END CATCH"
    )
    assert answer.value == -1
    assert answer.numbers == [3930]
    assert run("SELECT COUNT(*), @@TRANCOUNT FROM t").rows == [[0, 0]]


def test_transaction_count_that_differs_after_a_procedure_is_266(run: Run) -> None:
    run("CREATE PROCEDURE opens AS BEGIN TRAN")
    assert run("EXEC opens").numbers == [266]
    assert run("SELECT @@TRANCOUNT").value == 1


def test_rowcount_follows_the_last_statement(run: Run) -> None:
    run(T)
    answer = run(
        "INSERT t (id) VALUES (1), (2); IF @@ROWCOUNT = 2 PRINT 'two'; UPDATE t SET v = 'a' WHERE id = 9; SELECT @@ROWCOUNT"
    )
    assert (answer.texts, answer.value) == (["two"], 0)


def test_nocount_hides_counts(run: Run) -> None:
    assert run("SET NOCOUNT ON; SELECT 1").counts == [(None, "SELECT")]
