# ruff: noqa: E501 - one case a line
"""INSERT, UPDATE, DELETE, their OUTPUT, and the tables they change."""

from __future__ import annotations

import pytest

from tests.unit.sandbox.engine.conftest import Run

SETUP = """
CREATE SCHEMA s; CREATE TABLE s.t (
    id int IDENTITY(10, 5) CONSTRAINT PK_t PRIMARY KEY, name nvarchar(10) NOT NULL CONSTRAINT UQ_name UNIQUE,
    at datetime2 NOT NULL DEFAULT SYSUTCDATETIME(), n int NULL CONSTRAINT DF_n DEFAULT 7, twice AS n * 2);
CREATE TABLE s.child (id int PRIMARY KEY, t_id int NULL CONSTRAINT FK_t REFERENCES s.t (id));
INSERT s.t (name) VALUES ('a'), ('b'), ('c');
"""


@pytest.fixture(autouse=True)
def tables(run: Run) -> None:
    assert run(SETUP).errors == []


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("INSERT s.t (name, n) OUTPUT inserted.id, inserted.n, inserted.twice VALUES ('d', DEFAULT), ('e', 1)", [[25, 7, 14], [30, 1, 2]]),
        ("INSERT INTO s.t (name) SELECT UPPER(name) + 'x' FROM s.t WHERE id > 15; SELECT name FROM s.t WHERE id = 25", [["Cx"]]),
        ("INSERT s.t (name) VALUES ('z'); SELECT SCOPE_IDENTITY(), @@IDENTITY, IDENT_CURRENT('s.t')", [[25, 25, 25]]),
        ("SET IDENTITY_INSERT s.t ON; INSERT s.t (id, name) VALUES (99, 'x'); SET IDENTITY_INSERT s.t OFF; INSERT s.t (name) VALUES ('y'); SELECT MAX(id) FROM s.t", [[104]]),
        ("UPDATE s.t SET n = n + 1 OUTPUT deleted.n, inserted.n, inserted.name WHERE name = 'A'", [[7, 8, "a"]]),
        ("UPDATE s.t SET n += 2 OUTPUT inserted.n WHERE id = 10", [[9]]),
        ("UPDATE TOP (1) s.t SET n = 0; SELECT COUNT(*) FROM s.t WHERE n = 0", [[1]]),
        ("UPDATE x SET n = v.n FROM s.t AS x JOIN (VALUES ('a', 1), ('b', 2)) AS v(name, n) ON v.name = x.name; SELECT n FROM s.t ORDER BY id", [[1], [2], [7]]),
        ("DECLARE @v int; UPDATE s.t SET @v = n = 40 WHERE id = 10; SELECT @v", [[40]]),
        ("DELETE FROM s.t OUTPUT deleted.name WHERE id > 15", [["c"]]),
        ("DELETE x FROM s.t x JOIN (VALUES (10), (15)) AS v(id) ON v.id = x.id; SELECT name FROM s.t", [["c"]]),
        ("DECLARE @o TABLE (k int, w nvarchar(10)); UPDATE s.t SET n = 1 OUTPUT inserted.id, deleted.name INTO @o (k, w); SELECT * FROM @o ORDER BY k", [[10, "a"], [15, "b"], [20, "c"]]),
        ("INSERT s.t (name) EXEC ('SELECT ''p'' UNION ALL SELECT ''q'''); SELECT COUNT(*) FROM s.t", [[5]]),
        ("SELECT id, name INTO #copy FROM s.t WHERE id < 20; SELECT name FROM #copy ORDER BY id", [["a"], ["b"]]),
        ("INSERT s.t (name) SELECT 'new' WHERE NOT EXISTS (SELECT 1 FROM s.t WHERE name = 'A'); SELECT @@ROWCOUNT", [[0]]),
        ("TRUNCATE TABLE s.child; SELECT COUNT(*) FROM s.child", [[0]]),
        ("CREATE TABLE #x (id int IDENTITY, v varchar(3)); INSERT #x VALUES ('a'), ('b'); SELECT * FROM #x", [[1, "a"], [2, "b"]]),
        ("WITH d AS (SELECT id FROM s.t WHERE name = 'b') DELETE s.t WHERE id IN (SELECT id FROM d); SELECT COUNT(*) FROM s.t", [[2]]),
    ],
)  # fmt: skip
def test_rows(run: Run, sql: str, rows: list[list[object]]) -> None:
    answer = run(sql)
    assert answer.errors == []
    assert answer.rows == rows


@pytest.mark.parametrize(
    ("sql", "number", "says"),
    [
        ("INSERT s.t (name) VALUES ('A')", 2627, "UNIQUE KEY constraint 'UQ_name'"),
        ("INSERT s.t (name) VALUES (NULL)", 515, "column 'name', table 'shop.s.t'"),
        ("UPDATE s.t SET name = NULL", 515, "UPDATE fails"),
        ("INSERT s.t (name) VALUES ('0123456789x')", 2628, "'0123456789'"),
        ("INSERT s.t (id, name) VALUES (1, 'x')", 544, "IDENTITY_INSERT"),
        ("INSERT s.t (name) VALUES ('x', 1)", 213, "does not match"),
        ("INSERT s.t (nope) VALUES (1)", 207, "'nope'"),
        ("INSERT s.t (name, twice) VALUES ('x', 1)", 271, "twice"),
        ("INSERT s.t (name, n) VALUES ('x', 'abc')", 245, "'abc'"),
        ("UPDATE s.t SET id = 1", 8102, "'id'"),
        ("INSERT s.child VALUES (1, 99)", 547, '"FK_t"'),
        ("INSERT s.child VALUES (1, 10); DELETE s.t WHERE id = 10", 547, "REFERENCE"),
        ("DROP TABLE s.t", 3726, "FOREIGN KEY"),
        ("TRUNCATE TABLE s.t", 4712, "FOREIGN KEY"),
        ("UPDATE nowhere SET a = 1", 208, "nowhere"),
        ("INSERT sys.tables (name) VALUES ('x')", 4405, "not updatable"),
    ],
)
def test_error(run: Run, sql: str, number: int, says: str) -> None:
    answer = run(sql)
    assert answer.numbers == [number]
    assert says in answer.errors[0].text


@pytest.mark.parametrize(
    ("sql", "check", "rows"),
    [
        ("ALTER TABLE s.child ADD e int NOT NULL DEFAULT 3, f nvarchar(5)", "INSERT s.child (id) VALUES (1); SELECT e, f FROM s.child", [[3, None]]),
        ("ALTER TABLE s.child ADD e int; ALTER TABLE s.child DROP COLUMN e", "SELECT COL_LENGTH('s.child', 'e')", [[None]]),
        ("ALTER TABLE s.t ALTER COLUMN name nvarchar(20) NOT NULL", "SELECT COL_LENGTH('s.t', 'name')", [[40]]),
        ("ALTER TABLE s.t DROP CONSTRAINT UQ_name", "INSERT s.t (name) VALUES ('a'); SELECT COUNT(*) FROM s.t WHERE name = 'a'", [[2]]),
        ("ALTER TABLE s.child DROP CONSTRAINT FK_t", "INSERT s.child VALUES (1, 99); SELECT COUNT(*) FROM s.child", [[1]]),
        ("ALTER TABLE s.t DROP CONSTRAINT DF_n", "INSERT s.t (name) VALUES ('n'); SELECT n FROM s.t WHERE name = 'n'", [[None]]),
        ("CREATE INDEX IX_n ON s.t (n DESC) INCLUDE (at)", "SELECT name FROM sys.indexes WHERE object_id = OBJECT_ID('s.t') AND type = 2 ORDER BY name", [["IX_n"], ["UQ_name"]]),
        ("CREATE INDEX IX_n ON s.t (n); DROP INDEX IX_n ON s.t", "SELECT COUNT(*) FROM sys.indexes WHERE name = 'IX_n'", [[0]]),
        ("DROP TABLE s.child; DROP TABLE IF EXISTS s.t, s.none; DROP SCHEMA s", "SELECT COUNT(*) FROM sys.objects", [[0]]),
        ("BEGIN TRAN; ALTER TABLE s.t ADD CONSTRAINT C CHECK (n < 100); ROLLBACK", "UPDATE s.t SET n = 200; SELECT MAX(n) FROM s.t", [[200]]),
    ],
)  # fmt: skip
def test_definitions_change(run: Run, sql: str, check: str, rows: list[list[object]]) -> None:
    assert run(sql).errors == []
    assert run(check).rows == rows


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("CREATE TABLE nowhere.t (a int)", 2760),
        ("CREATE TABLE x (a int, A int)", 2705),
        ("CREATE TABLE x (a nosuch)", 2715),
        ("CREATE TABLE x (a int REFERENCES missing (a))", 1767),
        ("CREATE TABLE x (a int REFERENCES s.t (n))", 1776),
        ("CREATE SCHEMA s", 2714),
        ("DROP SCHEMA s", 3729),
        ("ALTER TABLE s.t ADD CONSTRAINT C CHECK (n > 100)", 547),
        ("CREATE UNIQUE INDEX U ON s.t (n)", 1505),
        ("CREATE INDEX I ON s.t (nope)", 1911),
        ("ALTER TABLE s.t DROP COLUMN name", 5074),
        ("ALTER PROCEDURE nope AS SELECT 1", 208),
        ("CREATE VIEW v AS SELECT 1", 4511),
    ],
)
def test_definition_error(run: Run, sql: str, number: int) -> None:
    assert run(sql).numbers == [number]


def test_a_filtered_unique_index_only_sees_its_rows(run: Run) -> None:
    run("CREATE UNIQUE INDEX U ON s.child (t_id) WHERE t_id IS NOT NULL")
    assert run("INSERT s.child VALUES (1, NULL), (2, NULL), (3, 10)").errors == []
    assert run("INSERT s.child VALUES (4, 10)").numbers == [2601]


def test_the_tutorial_step_can_be_repeated(run: Run) -> None:
    step = (
        "IF NOT EXISTS (SELECT * FROM sys.tables WHERE object_id = object_id('Step1Table'))"
        " CREATE TABLE [dbo].[Step1Table]([TestId] [int] NOT NULL);"
    )
    assert run(step).errors == run(step).errors == []
    assert run("SELECT COUNT(*) FROM sys.tables WHERE name = 'step1table'").value == 1
