# ruff: noqa: E501 - one case a line
"""SELECT over tables."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession
from tests.unit.sandbox.engine.conftest import Run

SETUP = """
CREATE TABLE dbo.people (id int PRIMARY KEY, name nvarchar(20) NOT NULL, boss int NULL, pay decimal(9,2) NULL);
INSERT dbo.people VALUES (1, 'Ann', NULL, 10), (2, 'bob', 1, 20.5), (3, 'Cid', 1, NULL), (4, 'ann', 2, 5);
"""


@pytest.fixture(autouse=True)
def people(run: Run) -> None:
    assert run(SETUP).errors == []


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT id FROM people WHERE name = 'ANN' ORDER BY id", [[1], [4]]),
        ("SELECT TOP (2) id FROM people ORDER BY id DESC", [[4], [3]]),
        ("SELECT TOP 1 id FROM [dbo].[People] AS p WHERE p.Boss IS NOT NULL ORDER BY p.name", [[4]]),
        ("SELECT id FROM people ORDER BY id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", [[2], [3]]),
        ("SELECT DISTINCT name FROM people WHERE name = 'ann'", [["Ann"]]),
        ("SELECT p.id, b.name FROM people p JOIN people b ON b.id = p.boss WHERE p.id = 2", [[2, "Ann"]]),
        ("SELECT COUNT(*), COUNT(boss), MAX(id), MIN(name) FROM people", [[4, 3, 4, "Ann"]]),
        ("SELECT AVG(id), SUM(id) FROM people", [[2, 10]]),
        ("SELECT name, COUNT(*) AS n FROM people GROUP BY name HAVING COUNT(*) > 1", [["Ann", 2]]),
        ("SELECT id FROM people WHERE boss IN (SELECT id FROM people WHERE name = 'bob')", [[4]]),
        ("SELECT id FROM people p WHERE NOT EXISTS (SELECT 1 FROM people c WHERE c.boss = p.id) ORDER BY 1", [[3], [4]]),
        ("SELECT 1 UNION SELECT 1 UNION ALL SELECT 2", [[1], [2]]),
        ("SELECT id FROM people EXCEPT SELECT boss FROM people", [[3], [4]]),
        ("WITH c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 4) SELECT SUM(n) FROM c", [[10]]),
        ("WITH a (x) AS (SELECT id FROM people), b AS (SELECT x FROM a WHERE x > 2) SELECT * FROM b", [[3], [4]]),
        ("SELECT v.a FROM (VALUES (1, 'x'), (2, 'y')) AS v(a, b) WHERE v.b = 'Y'", [[2]]),
        ("SELECT ROW_NUMBER() OVER (PARTITION BY name ORDER BY id), id FROM people ORDER BY id", [[1, 1], [1, 2], [1, 3], [2, 4]]),
        ("SELECT LAG(id) OVER (ORDER BY id) FROM people ORDER BY id", [[None], [1], [2], [3]]),
        ("SELECT STRING_AGG(name, '|') WITHIN GROUP (ORDER BY id DESC) FROM people WHERE id < 4", [["Cid|bob|Ann"]]),
        ("SELECT value FROM STRING_SPLIT('a,b', ',')", [["a"], ["b"]]),
        ("SELECT x.value FROM people p CROSS APPLY STRING_SPLIT(p.name, 'o') x WHERE p.id = 2", [["b"], ["b"]]),
        ("SELECT p.id, l.n FROM people p OUTER APPLY (SELECT TOP 1 c.id AS n FROM people c WHERE c.boss = p.id ORDER BY c.id) l ORDER BY p.id", [[1, 2], [2, 4], [3, None], [4, None]]),
        ("SELECT p.id FROM people p CROSS APPLY (SELECT COUNT(*) AS n FROM people c WHERE c.boss = p.id) l WHERE l.n = 2", [[1]]),
        ("SELECT a, b FROM OPENJSON('[{\"a\":1,\"c\":{\"d\":\"x\"}},{\"a\":2}]') WITH (a int, b nvarchar(5) '$.c.d')", [[1, "x"], [2, None]]),
        ("SELECT [key], value, type FROM OPENJSON('{\"a\":1,\"b\":\"x\"}')", [["a", "1", 2], ["b", "x", 1]]),
        ("SELECT x FROM OPENJSON('[\"p\",\"q\"]') WITH (x nvarchar(9) '$')", [["p"], ["q"]]),
        ("SELECT (SELECT MAX(id) FROM people)", [[4]]),
        ("SELECT id FROM people WITH (NOLOCK) WHERE id = 1 OPTION (RECOMPILE)", [[1]]),
    ],
)  # fmt: skip
def test_rows(run: Run, sql: str, rows: list[list[object]]) -> None:
    answer = run(sql)
    assert answer.errors == []
    assert answer.rows == rows
    assert answer.counts[-1] == (len(rows), "SELECT")


def test_columns_have_the_declared_types_also_through_views_and_subqueries(run: Run) -> None:
    run(
        "CREATE VIEW v AS SELECT id, pay, name AS title, CASE WHEN pay > 7 THEN 'much' ELSE 'little' END AS size FROM people"
    )
    answer = run("SELECT d.* FROM (SELECT * FROM v WHERE size = 'MUCH') AS d ORDER BY title")
    described = [
        (column.name, column.type.name, column.type.length, column.type.scale) for column in answer.results[0][0]
    ]
    assert described == [
        ("id", "int", None, None),
        ("pay", "decimal", None, 2),
        ("title", "nvarchar", 20, None),
        ("size", "varchar", 6, None),
    ]
    assert [row[0] for row in answer.rows] == [1, 2]


def test_coalesce_may_be_null_where_an_argument_may_and_isnull_never(run: Run) -> None:
    answer = run("SELECT COALESCE(boss, 0) AS a, COALESCE(id, 0) AS b, ISNULL(boss, 0) AS c FROM people")
    assert [column.type.nullable for column in answer.results[0][0]] == [True, False, False]


def test_unnamed_columns_have_no_name(run: Run) -> None:
    assert [column.name for column in run("SELECT id + 1, id, 5 AS five FROM people").results[0][0]] == [
        "",
        "id",
        "five",
    ]


def test_a_table_variable_is_read_first_as_an_engine_that_knows_its_size_would(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[str] = []
    original = EngineSession.run

    def watched(self: EngineSession, text: str, *args: Any, **kwargs: Any) -> sqlite3.Cursor:
        if text.startswith("SELECT") and '"dbo.held"' in text:
            steps = self.connection.execute(f"EXPLAIN QUERY PLAN {text}", *args).fetchall()
            plans.append(", ".join(str(step[3]).partition(" USING")[0] for step in steps))
        return original(self, text, *args, **kwargs)

    monkeypatch.setattr(EngineSession, "run", watched)
    answer = run(
        "CREATE TABLE held (name nvarchar(20) PRIMARY KEY, holder nvarchar(20), state nvarchar(20));"
        " INSERT held VALUES ('a', 'x', 'on'), ('b', 'y', 'on');"
        " DECLARE @asked TABLE (name nvarchar(20), holder nvarchar(20), PRIMARY KEY (name, holder));"
        " INSERT @asked VALUES ('a', 'x'), ('b', 'z');"
        " SELECT h.name FROM @asked AS a JOIN held AS h ON h.name = a.name WHERE h.holder = a.holder AND h.state = 'on'"
    )
    assert answer.rows == [["a"]]
    assert plans[-1] == "SCAN a#1, SEARCH h#2"


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("SELECT * FROM missing", 208),
        ("SELECT nope FROM people", 207),
        ("SELECT id FROM people a JOIN people b ON a.id = b.id", 209),
        ("SELECT p.id FROM people x", 4104),
        ("SELECT (SELECT id FROM people)", 512),
        ("SELECT id FROM people UNION SELECT 1, 2", 205),
        ("SELECT id FROM people ORDER BY 3", 108),
        ("SELECT id, FROM people", 156),
        ("SELECT FROM people", 156),
        ("SELECT * FROM other.dbo.people", 40515),
        ("SELECT * FROM people FOR JSON PATH", 40510),
        ("SELECT TOP 10 PERCENT id FROM people", 40510),
        ("SELECT * FROM people PIVOT (SUM(id) FOR name IN ([a])) p", 40510),
    ],
)
def test_error(run: Run, sql: str, number: int) -> None:
    assert run(sql).numbers == [number]


@pytest.mark.parametrize(
    "construct", ["MERGE people AS t USING people AS s ON 1 = 1 WHEN MATCHED THEN DELETE;", "DBCC CHECKDB", "KILL 5", "CREATE FUNCTION f() RETURNS int AS BEGIN RETURN 1 END"]
)  # fmt: skip
def test_what_is_not_known_is_refused_by_name(run: Run, construct: str) -> None:
    answer = run(f"PRINT 'first'; {construct}")
    assert answer.numbers == [40510]
    assert construct.split(maxsplit=1)[0] in answer.errors[0].text
    assert answer.texts == []
