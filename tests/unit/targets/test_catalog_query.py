from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.targets.catalog_query import targets_of_rows
from airflow_provider_elasticjobs.targets.reading import Rows

NAMES = ("server_name", "database_name")


def found(columns: tuple[str, ...], *rows: tuple[Any, ...]) -> list[Target]:
    return [listed.target for listed in targets_of_rows(Rows(columns, list(rows)))]


def test_further_columns_are_parameters() -> None:
    columns = ("Tenant", "DATABASE_NAME", "Elastic_Pool_Name", "Server_Name", "raw")
    assert found(columns, (7, "d", "p", "s", bytearray(b"x")), (None, "e", None, "s", None)) == [
        Target("s", "d", "p", None, {"Tenant": 7, "raw": b"x"}),
        Target("s", "e", None, None, {"Tenant": None, "raw": None}),
    ]


def test_no_rows_are_no_databases() -> None:
    assert found(NAMES) == []


def test_a_row_that_repeats_another_counts_once() -> None:
    assert found((*NAMES, "x"), ("s", "d", 1), ("S", "D", 1), ("s", "e", 2)) == [
        Target("s", "d", parameters={"x": 1}),
        Target("s", "e", parameters={"x": 2}),
    ]


@pytest.mark.parametrize(
    ("columns", "rows", "words"),
    [
        (("database_name", "x"), [], "column 'server_name' is missing; the query gives 'database_name', 'x'"),
        ((*NAMES, "x", "X"), [], "column 3 repeats the name 'x'"),
        ((*NAMES, "SERVER_NAME"), [], "column 1 repeats the name 'server_name'"),
        ((*NAMES, ""), [], "column 3 has no name: give it one with AS"),
        ((*NAMES, "two words"), [], "the query's columns: 'two words' is no name for a parameter"),
        ((*NAMES, "Job_Id"), [], "'Job_Id' is a built-in variable"),
        (NAMES, [("s", "d"), ("s", None)], "row 2: database_name must be a non-empty text, not None"),
        (NAMES, [("  ", "d")], "row 1: server_name must be a non-empty text"),
        (NAMES, [("s", "d" * 129)], "row 1: database_name has 129 characters"),
        ((*NAMES, "x"), [("s", "d", 1), ("s", "D", 2)], "rows 1 and 2 both name s/D, with different x"),
        (
            (*NAMES, "elastic_pool_name"),
            [("s", "d", "p"), ("s", "d", None)],
            "rows 1 and 2 both name s/d, with different elastic_pool_name",
        ),
        ((*NAMES, "x"), [("s", "d", object())], "row 1: parameter 'x' is of type object"),
        ((*NAMES, "x"), [("s", "d", "y" * 70_000)], "row 1: the parameters have 70009 characters; at most 65536"),
    ],
)
def test_errors_name_the_column_and_the_row(columns: tuple[str, ...], rows: list[Any], words: str) -> None:
    with pytest.raises(DefinitionError, match=words):
        found(columns, *rows)
