from __future__ import annotations

import re
from importlib.resources import files

from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep, schema_steps


def test_steps_have_growing_numbers() -> None:
    versions = [step.version for step in schema_steps()]
    assert versions[0] == 1
    assert versions == sorted(set(versions))


def test_batches_are_split_at_go_lines_only() -> None:
    step = SchemaStep(1, "001_x", "SELECT 'GO';\ngo\n\nGO\n  SELECT 2; -- GO\n Go \nSELECT 3;")
    assert step.batches == ["SELECT 'GO';", "SELECT 2; -- GO", "SELECT 3;"]


def test_every_step_can_be_undone_or_says_why_not() -> None:
    assert [step.name for step in schema_steps() if not step.undo_batches and not step.irreversible] == []


def test_an_undo_script_takes_an_object_from_the_step_that_made_it() -> None:
    steps = {step.version: step for step in schema_steps()}
    for undone, made, name in ((10, 9, "jobs.sp_purge_jobhistory"), (11, 8, "jobs_internal.identify_target")):
        (again,) = (batch for batch in steps[undone].undo_batches if f"CREATE PROCEDURE {name}\n" in batch)
        assert again in steps[made].batches
    assert [step.name for step in steps.values() if "-- As in" in (step.undo or "")] == []


def test_no_step_says_both() -> None:
    assert [step.name for step in schema_steps() if step.undo and step.irreversible] == []


def test_an_undo_script_belongs_to_a_step() -> None:
    folder = files("airflow_provider_elasticjobs.job_database") / "schema"
    undo = {entry.name.removesuffix(".down.sql") for entry in folder.iterdir() if entry.name.endswith(".down.sql")}
    assert undo <= {step.name for step in schema_steps()}


def test_a_step_declares_that_it_cannot_be_undone() -> None:
    script = "-- Merges two columns.\n-- Irreversible: which came from where is not kept.\nSELECT 1;"
    assert SchemaStep(1, "x", script).irreversible == "which came from where is not kept."
    assert SchemaStep(1, "x", "SELECT '-- Irreversible: no';").irreversible is None
    assert SchemaStep(1, "x", script).undo_batches == []


def test_the_steps_are_those_without_their_undo_scripts() -> None:
    steps = schema_steps()
    assert [step.name for step in steps if "down" in step.name] == []
    assert steps[0].undo_batches[-1] == "DROP SCHEMA jobs;"


def test_scripts_use_nothing_that_an_engine_lacks() -> None:
    """Design 3.11."""
    lacking = re.compile(
        r"\bMERGE\b|CREATE\s+OR\s+ALTER|EXECUTE\s+AS|\{\s*CALL|WITH\s*\(\s*(UPDLOCK|HOLDLOCK)", re.IGNORECASE
    )
    for step in schema_steps():
        assert not lacking.search(step.script + (step.undo or "")), step.name


def test_a_filters_column_is_in_its_index() -> None:
    """SQL Server looks into every row that an index with a filter IS NULL finds, if the column is not in it."""
    text = "\n".join(step.script for step in schema_steps())
    filtered = re.findall(r"CREATE INDEX (\w+) ON [\w.]+\s*\(([^;]*?)\bWHERE (\w+)\b[^;]*;", text)
    assert len(filtered) >= 6
    assert [name for name, columns, filter_column in filtered if filter_column not in re.findall(r"\w+", columns)] == []
