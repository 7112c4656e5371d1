"""``check-idempotent``: which script is run, on what, and what is printed of it."""

from __future__ import annotations

import json
from argparse import Namespace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_elasticjobs.cli import idempotence
from airflow_provider_elasticjobs.exceptions import ScriptError
from airflow_provider_elasticjobs.execution.idempotence import IdempotenceReport
from airflow_provider_elasticjobs.model.job import JobStep
from airflow_provider_elasticjobs.model.targets import SqlServer, Target, TargetGroup
from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator
from airflow_provider_elasticjobs.task_groups.elastic_job import ElasticJob
from airflow_provider_elasticjobs.tsql.batches import Batch

GROUP = TargetGroup("everyone", [SqlServer("s.example")])


class Checked:
    """Stands for the connection and the check: keeps what was asked."""

    def __init__(self) -> None:
        self.report: IdempotenceReport | Exception = IdempotenceReport()
        self.asked: list[Any] = []
        self.closed = 0
        self.batches: Any = None

    def connect(self, *place: object) -> Checked:
        self.asked.append(place)
        return self

    def close(self) -> None:
        self.closed += 1

    def __call__(self, connection: object, batches: Any, target: Target, *, max_rows: int) -> IdempotenceReport:
        self.batches = batches
        self.asked.append((connection is self, [batch.text for batch in batches], target, max_rows))
        if isinstance(self.report, Exception):
            raise self.report
        return self.report


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Checked:
    fake = Checked()
    (tmp_path / "step.sql").write_text("PRINT '{{ params.word }}'\nGO\nSELECT $(step_id)")
    with DAG("d", schedule=None, template_searchpath=str(tmp_path), params={"word": "hello"}) as dag:
        ElasticJob("J", [JobStep("a", GROUP, "step.sql", conn_id="theirs")])
        target = {"server": "s", "database": "d", "execution_id": "x"}
        parameters: dict[str, Any] = {"greeting": "{{ params.word }}", "P": Decimal("1.50")}
        step = JobStep("s", GROUP, "SELECT $(Greeting), $(p), @p", parameters=parameters, bind_parameters=True)
        ElasticJob("K", [step])
        ElasticJobOperator(task_id="alone", command="SELECT {{ ds_nodash }}", target=target)
    monkeypatch.setattr(idempotence, "get_bagged_dag", lambda _bundle, name: {"d": dag}[name])
    monkeypatch.setattr(idempotence, "settings_of", lambda conn_id, option: (conn_id, option))
    monkeypatch.setattr(idempotence, "connector", lambda settings: fake.asked.append(settings) or fake.connect)  # type: ignore[func-returns-value]
    monkeypatch.setattr(idempotence, "check_idempotence", fake)
    return fake


def check(task_id: str = "J.a.run", **arguments: Any) -> None:
    given = {
        "dag_id": "d",
        "target": "s.example/tenant1",
        "max_rows": 7,
        "elasticjobs_conn_id": None,
        "output": "table",
    }
    idempotence.check_idempotent(Namespace(task_id=task_id, verbose=False, **{**given, **arguments}))


def test_the_script_is_rendered_and_run_where_it_was_said(checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    check()
    assert checked.asked == [
        ("theirs", "--elasticjobs-conn-id"),
        ("s.example", "tenant1", "elasticjobs check-idempotent"),
        (True, ["PRINT 'hello'\n", "SELECT 1"], Target("s.example", "tenant1"), 7),
    ]
    assert checked.closed == 1
    assert capsys.readouterr().out == "The second run changed nothing more.\n"


def test_it_gets_the_steps_parameters_rendered_too(checked: Checked) -> None:
    check("K.s.run")
    batches = [Batch("SELECT N'hello', 1.50, @p", parameters={"P": Decimal("1.50")})]
    assert checked.batches == batches


def test_another_connection_and_a_task_that_is_not_mapped(checked: Checked) -> None:
    check("alone", elasticjobs_conn_id="mine")
    assert checked.asked[0][0] == "mine"
    assert checked.asked[2][1][0].startswith("SELECT 20")


def test_what_was_found_is_printed_and_the_exit_code_is_1(checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    checked.report = IdempotenceReport("it is there already", ["c"], ["b"], ["a"], ["big"])
    with pytest.raises(SystemExit) as ended:
        check()
    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines() == [
        "The script is not idempotent.",
        "The second run failed: it is there already",
        "The second run changed:",
        "  c",
        "It answered otherwise:",
        "  b",
        "The first run changed:",
        "  a",
        "Counted only, for more than 7 rows or columns that cannot be read:",
        "  big",
    ]


def test_for_programs_it_is_json(checked: Checked, capsys: pytest.CaptureFixture[str]) -> None:
    checked.report = IdempotenceReport(changed=["c"])
    with pytest.raises(SystemExit):
        check(output="json")
    assert json.loads(capsys.readouterr().out)["changed"] == ["c"]


def test_a_first_run_that_fails_is_one_line(checked: Checked) -> None:
    checked.report = ScriptError("no such table")
    with pytest.raises(SystemExit, match="The script could not be tried: no such table"):
        check()
    assert checked.closed == 1


@pytest.mark.parametrize("task_id", ["J.a.resolve", "nothing"])
def test_a_task_without_a_script_is_told_and_those_with_one_named(checked: Checked, task_id: str) -> None:
    with pytest.raises(
        SystemExit, match=rf"'{task_id}' is not a task of 'd' that runs a script: .*J\.a\.run, .*alone is"
    ):
        check(task_id)
    assert checked.asked == []
