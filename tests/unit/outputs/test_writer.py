from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.exceptions import OutputError
from airflow_provider_elasticjobs.model.outputs import ParquetOutput
from airflow_provider_elasticjobs.outputs.writer import ResultSets
from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType

A = ResultColumn("a", SqlType("int"))


def test_the_first_result_is_taken_and_no_other() -> None:
    results = ResultSets(ParquetOutput("p"))
    assert [results.begin([A]) for _ in range(3)] == [True, False, False]
    results.refuse_none()


def test_what_comes_after_the_first_need_not_fit() -> None:
    results = ResultSets(ParquetOutput("p"))
    results.begin([A])
    assert not results.begin([ResultColumn("", SqlType("sql_variant"))])


def test_all_results_are_counted() -> None:
    results = ResultSets(ParquetOutput("p", result_sets="all", add_columns=["server_name"]))
    assert [results.begin([A]) for _ in range(3)] == [True, True, True]
    assert results.number == 3
    assert [column.name for column in results.added] == ["server_name", "result_set"]


def test_no_result_is_refused() -> None:
    with pytest.raises(OutputError, match="no result set"):
        ResultSets(ParquetOutput("p")).refuse_none()


@pytest.mark.parametrize("kind", ["sql_variant", "geography", "hierarchyid"])
def test_a_type_that_cannot_be_copied_is_named(kind: str) -> None:
    with pytest.raises(OutputError, match=f"column v of the result is of the type {kind}, which cannot be written"):
        ResultSets(ParquetOutput("p")).begin([A, ResultColumn("v", SqlType(kind))])


@pytest.mark.parametrize("name", ["mine", "MINE", "Server_Name"])
def test_names_of_the_outputs_own_columns_are_refused(name: str) -> None:
    results = ResultSets(ParquetOutput("p", add_columns=["server_name"]), ["mine"])
    with pytest.raises(OutputError, match=f"a column {name} of its own"):
        results.begin([ResultColumn(name, SqlType("int"))])
