from __future__ import annotations

import re

from airflow_provider_elasticjobs.job_database.install import SchemaStep, schema_steps


def test_steps_have_growing_numbers() -> None:
    versions = [step.version for step in schema_steps()]
    assert versions[0] == 1
    assert versions == sorted(set(versions))


def test_batches_are_split_at_go_lines_only() -> None:
    step = SchemaStep(1, "001_x", "SELECT 'GO';\ngo\n\nGO\n  SELECT 2; -- GO\n Go \nSELECT 3;")
    assert step.batches == ["SELECT 'GO';", "SELECT 2; -- GO", "SELECT 3;"]


def test_scripts_use_nothing_that_an_engine_lacks() -> None:
    """Design 3.11."""
    lacking = re.compile(
        r"\bMERGE\b|CREATE\s+OR\s+ALTER|EXECUTE\s+AS|\{\s*CALL|WITH\s*\(\s*(UPDLOCK|HOLDLOCK)", re.IGNORECASE
    )
    for step in schema_steps():
        assert not lacking.search(step.script), step.name
