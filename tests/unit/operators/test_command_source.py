from __future__ import annotations

from pathlib import Path

import pytest
from airflow.sdk import DAG

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.targets import SqlServer, TargetGroup
from airflow_provider_elasticjobs.operators.command_source import with_command_sources
from airflow_provider_elasticjobs.operators.target_group import ResolveTargetGroupOperator

GROUP = TargetGroup("g", [SqlServer("s")])


def task(folder: Path) -> ResolveTargetGroupOperator:
    with DAG("d", schedule=None, template_searchpath=str(folder)):
        return ResolveTargetGroupOperator(task_id="resolve", target_group=GROUP)


def job(*commands: str) -> Job:
    return Job("j", [JobStep(f"s{place}", GROUP, command) for place, command in enumerate(commands)], description="why")


def test_a_file_gives_its_text_with_templates_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("SELECT '{{ ds }}'\nGO\n")
    sources = with_command_sources(job("a.sql", "SELECT {{ 1 }}"), task(tmp_path))
    assert [step.command for step in sources.steps] == ["SELECT '{{ ds }}'\nGO\n", "SELECT {{ 1 }}"]
    assert (sources.name, sources.description) == ("j", "why")


def test_without_files_the_job_stays_as_it_is(tmp_path: Path) -> None:
    written = job("SELECT 1")
    assert with_command_sources(written, task(tmp_path)) is written


def test_a_file_that_is_not_there_is_named_with_its_step(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match=r"step 's1': the file 'b\.sql' was not found"):
        with_command_sources(job("SELECT 1", "b.sql"), task(tmp_path))
