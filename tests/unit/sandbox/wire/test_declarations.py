from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.wire.declarations import Declaration, parse_declarations


@pytest.mark.parametrize(
    ("text", "sql_type"),
    [
        ("@a int", SqlType("int")),
        ("@a INTEGER", SqlType("int")),
        ("@a nvarchar(10)", SqlType("nvarchar", length=10)),
        ("@a nvarchar(max)", SqlType("nvarchar", length=-1)),
        ("@a varchar", SqlType("varchar", length=1)),
        ("@a decimal(18,2)", SqlType("decimal", precision=18, scale=2)),
        ("@a numeric", SqlType("decimal", precision=18, scale=0)),
        ("@a datetime2", SqlType("datetime2", scale=7)),
        ("@a datetime2(3)", SqlType("datetime2", scale=3)),
        ("@a datetime", SqlType("datetime")),
        ("@a sysname", SqlType("nvarchar", length=128)),
        ("@a [sys].[int]", SqlType("int")),
        ("@a AS bit", SqlType("bit")),
        ("@a image", SqlType("varbinary", length=-1)),
        ("@a ntext", SqlType("nvarchar", length=-1)),
    ],
)
def test_types(text: str, sql_type: SqlType) -> None:
    assert parse_declarations(text) == [Declaration("@a", sql_type)]


def test_several_with_commas_inside_brackets() -> None:
    declared = parse_declarations("@P1 decimal(5, 2),\n @P2 varbinary(max) OUTPUT , @P3 int out")
    assert [(one.name, one.type.name, one.is_output) for one in declared] == [
        ("@P1", "decimal", False),
        ("@P2", "varbinary", True),
        ("@P3", "int", True),
    ]


@pytest.mark.parametrize("text", [None, "", "  "])
def test_none_at_all(text: str | None) -> None:
    assert parse_declarations(text) == []


@pytest.mark.parametrize("text", ["int", "@a", "@a int,", "@a int(1,2,3)"])
def test_what_declares_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="declares no parameter"):
        parse_declarations(text)
