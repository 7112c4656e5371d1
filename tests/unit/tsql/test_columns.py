from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.tsql.columns import SqlType, sql_type


@pytest.mark.parametrize(
    ("name", "size", "digits", "declaration"),
    [
        ("int", 10, 0, "int"),
        ("int identity", 10, 0, "int"),
        ("numeric() identity", 18, 0, "decimal(18, 0)"),
        ("numeric", 9, 2, "decimal(9, 2)"),
        ("nvarchar", 40, 0, "nvarchar(40)"),
        ("sysname", 128, 0, "nvarchar(128)"),
        ("nvarchar", 0, 0, "nvarchar(max)"),
        ("timestamp", 8, 0, "binary(8)"),
        ("datetime2", 27, 7, "datetime2(7)"),
        ("time", 8, 0, "time(0)"),
        ("datetime", 23, 3, "datetime"),
        ("xml", 0, 0, "xml"),
        ("sql_variant", 8000, 0, "sql_variant"),
    ],
)
def test_a_type_as_it_is_declared(name: str, size: int, digits: int, declaration: str) -> None:
    assert sql_type(name, size, digits).declaration == declaration


def test_only_types_whose_values_can_be_copied_are_known() -> None:
    names = ("sql_variant", "geography", "hierarchyid", "udt", "vector", "")
    assert not any(sql_type(name, 0, 0).is_known for name in names)
    assert all(sql_type(name, 1, 0).is_known for name in ("bit", "xml", "image", "time", "decimal", "char"))


def test_long_types_have_no_greatest_length() -> None:
    assert SqlType("nvarchar").is_long
    assert SqlType("text").is_long
    assert not SqlType("nvarchar", 4000).is_long
    assert not SqlType("int").is_long
