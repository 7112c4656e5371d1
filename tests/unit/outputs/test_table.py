from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError, OutputError
from airflow_provider_elasticjobs.model.outputs import SqlDatabaseOutput
from airflow_provider_elasticjobs.outputs.table import INTERNAL_EXECUTION_ID, OutputTable
from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType

TABLE = OutputTable(SqlDatabaseOutput("s", "d", "t]x", "my'schema"))


def column(name: str, type_name: str, length: int = 0, precision: int = 0, scale: int = 0) -> ResultColumn:
    return ResultColumn(name, SqlType(type_name, length, precision, scale))


def test_names_are_delimited_everywhere() -> None:
    batch = TABLE.create_if_absent([column("a]b", "int")])
    assert (
        "CREATE TABLE [my'schema].[t]]x] ([a]]b] int NULL, [internal_execution_id] uniqueidentifier NOT NULL)" in batch
    )
    assert "OBJECT_ID(N'[my''schema].[t]]x]')" in batch
    assert "INDEX [IX_t]]x_Internal_Execution_ID] ON" in batch


def test_the_index_of_a_table_with_a_long_name_has_a_name_that_fits() -> None:
    batch = OutputTable(SqlDatabaseOutput("s", "d", "x" * 128)).create_if_absent([])
    assert f"INDEX [IX_{'x' * 125}] ON" in batch


def test_a_name_that_no_table_can_have() -> None:
    with pytest.raises(DefinitionError):
        OutputTable(SqlDatabaseOutput("s", "d", "a\0b"))


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (column("a", "int"), column("A", "int")),
        (column("a", "varchar", 5), column("a", "varchar", 9)),
        (column("a", "nvarchar"), column("a", "nvarchar", 9)),
        (column("a", "decimal", precision=18, scale=4), column("a", "decimal", precision=9, scale=2)),
        (column("a", "datetime2", scale=7), column("a", "datetime2", scale=3)),
        (column("a", "char", 5), column("a", "char", 5)),
    ],
)
def test_columns_that_fit(found: ResultColumn, wanted: ResultColumn) -> None:
    TABLE.check([INTERNAL_EXECUTION_ID, column("more", "bit"), found], [wanted])


@pytest.mark.parametrize(
    ("found", "wanted", "said"),
    [
        (column("a", "bigint"), column("a", "int"), "expected int, found bigint"),
        (column("b", "int"), column("a", "int"), "expected int, found none"),
        (column("a", "varchar", 9), column("a", "nvarchar", 9), r"expected nvarchar\(9\), found varchar\(9\)"),
        (column("a", "char", 9), column("a", "char", 5), r"expected char\(5\), found char\(9\)"),
        (
            column("a", "decimal", precision=9, scale=4),
            column("a", "decimal", precision=9, scale=2),
            r"decimal\(9, 2\)",
        ),
        (
            column("a", "decimal", precision=9, scale=0),
            column("a", "decimal", precision=5, scale=2),
            r"decimal\(5, 2\)",
        ),
        (column("a", "time", scale=0), column("a", "time", scale=7), r"expected time\(7\), found time\(0\)"),
    ],
)
def test_columns_that_do_not_fit(found: ResultColumn, wanted: ResultColumn, said: str) -> None:
    with pytest.raises(OutputError, match=f"column a: .*{said}"):
        TABLE.check([INTERNAL_EXECUTION_ID, found], [wanted])


def test_the_vendors_column_must_be_there() -> None:
    with pytest.raises(OutputError, match="column internal_execution_id: expected uniqueidentifier, found none"):
        TABLE.check([column("a", "int")], [column("a", "int")])
