from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import JobStep
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput, output_from_json
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup

SERVER = "archive.database.windows.net"
OUTPUTS = [
    SqlDatabaseOutput(SERVER, "d", "t"),
    SqlDatabaseOutput(SERVER, "d", "t", "s", conn_id="c", result_sets="all", add_columns=["server_name"]),
    ParquetOutput("s3://bucket/{job_execution_id}"),
    ParquetOutput("s3://bucket", conn_id="c", result_sets="all", add_columns=["job_execution_id", "server_name"]),
]


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_plain_json_both_ways(output: SqlDatabaseOutput | ParquetOutput) -> None:
    assert output_from_json(json.loads(json.dumps(output.to_json()))) == output


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_a_step_keeps_its_output(output: SqlDatabaseOutput | ParquetOutput) -> None:
    step = JobStep("s", TargetGroup("g", [SqlServer("a")]), "SELECT 1", output=output)
    assert JobStep.from_json(json.loads(json.dumps(step.to_json()))) == step


def test_the_schema_is_dbo_and_the_first_result_is_meant() -> None:
    output = OUTPUTS[0]
    assert isinstance(output, SqlDatabaseOutput)
    assert (output.schema_name, output.takes_all, output.add_columns, output.conn_id) == ("dbo", False, (), None)


def test_added_columns_have_one_order() -> None:
    names = ["job_execution_id", "server_name", "server_name"]
    assert SqlDatabaseOutput(SERVER, "d", "t", add_columns=names).add_columns == ("server_name", "job_execution_id")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"server_name": ""}, "server_name must be a non-empty text"),
        ({"table_name": "x" * 129}, "table_name has 129 characters"),
        ({"schema_name": " dbo"}, "begins or ends with white space"),
        ({"result_sets": "last"}, "result_sets must be 'first' or 'all', not 'last'"),
        ({"add_columns": ["time"]}, "add_columns can be server_name, database_name, job_execution_id, not 'time'"),
        ({"add_columns": "server_name"}, "add_columns can be"),
    ],
)
def test_what_cannot_be(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        SqlDatabaseOutput(**{"server_name": SERVER, "database_name": "d", "table_name": "t", **arguments})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "output_type is ''; it must be one of SqlDatabase, Parquet"),
        ({"output_type": "Csv"}, "'Csv'"),
        ({"output_type": "parquet"}, "'path'"),
        ({"output_type": "Parquet", "path": "x", "size": 1}, "'size'"),
    ],
)
def test_json_that_is_no_output(data: dict[str, Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=message):
        output_from_json(data)


def test_a_step_takes_nothing_else_for_an_output() -> None:
    with pytest.raises(DefinitionError, match="output must be a SqlDatabaseOutput or a ParquetOutput"):
        JobStep("s", TargetGroup("g", [SqlServer("a")]), "SELECT 1", output="dbo.t")  # type: ignore[arg-type]
