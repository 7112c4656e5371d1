from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, SqlType
from airflow_provider_elasticjobs.sandbox.wire.prepared import Prepared, PreparedStatements, prepare

INT = SqlType("int")


def test_arguments_by_position_get_declared_names_and_types() -> None:
    statement = prepare("SELECT @P1, @P2", "@P1 int, @P2 nvarchar(10) OUTPUT")
    bound = statement.bind([Parameter("", SqlType("bigint"), 1), Parameter("", SqlType("nvarchar", length=4000), "x")])
    assert bound == [Parameter("@P1", INT, 1), Parameter("@P2", SqlType("nvarchar", length=10), "x")]


def test_arguments_by_name_are_found_whatever_their_order_and_case() -> None:
    statement = prepare("SELECT @a, @b", "@a int, @b bit")
    bound = statement.bind([Parameter("@B", SqlType("int"), 1), Parameter("@A", SqlType("bit"), 2, is_output=True)])
    assert bound == [Parameter("@b", SqlType("bit"), 1), Parameter("@a", INT, 2, is_output=True)]


def test_arguments_that_nothing_declares_keep_their_type() -> None:
    assert Prepared("SELECT 1").bind([Parameter("", INT, 5)]) == [Parameter("@P1", INT, 5)]


def test_a_statement_must_be_text() -> None:
    with pytest.raises(TypeError):
        prepare(None, None)


def test_handles_are_kept_apart_and_forgotten() -> None:
    statements = PreparedStatements()
    first, second = statements.add(Prepared("a")), statements.add(Prepared("b"))
    assert statements.get(first) == Prepared("a")
    statements.remove(first)
    statements.remove(None)
    assert statements.get(first) is None
    assert statements.get(second) == Prepared("b")
    statements.clear()
    assert statements.get(second) is None
    assert statements.add(Prepared("c")) not in (first, second)
