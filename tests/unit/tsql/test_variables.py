from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.tsql.lexer import regions
from airflow_provider_elasticjobs.tsql.variables import VARIABLE_NAMES, substitute, unknown_variables

_VALUES: dict[str, object] = {
    "job_name": "O'Brien's ]job\"",
    "job_id": UUID(int=1),
    "job_version": 4,
    "step_id": 2,
    "step_name": "step one",
    "job_execution_id": UUID(int=2),
    "job_execution_create_time": datetime.fromisoformat("2026-02-03T04:05:06"),
    "target_group_name": "everyone",
}


def test_every_documented_variable_is_known() -> None:
    assert set(_VALUES) == VARIABLE_NAMES


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("INSERT t VALUES ($(job_execution_id))", "INSERT t VALUES ('00000000-0000-0000-0000-000000000002')"),
        ("SELECT $(step_id), $(job_version)", "SELECT 2, 4"),
        ("SELECT $(job_name)", "SELECT N'O''Brien''s ]job\"'"),
        ("SELECT $(JOB_NAME)", "SELECT N'O''Brien''s ]job\"'"),
        ("SELECT $(job_execution_create_time)", "SELECT '2026-02-03T04:05:06.000'"),
        ("PRINT 'by $(job_name)'", "PRINT 'by O''Brien''s ]job\"'"),
        ("SELECT '$(job_execution_id)'", "SELECT '00000000-0000-0000-0000-000000000002'"),
        ("SELECT 1 AS [$(job_name)]", "SELECT 1 AS [O'Brien's ]]job\"]"),
        ('SELECT 1 AS "$(job_name)"', 'SELECT 1 AS "O\'Brien\'s ]job"""'),
        ("CREATE TABLE [log_$(step_id)](a int)", "CREATE TABLE [log_2](a int)"),
        ("SELECT 1 -- $(job_name)", "SELECT 1 -- $(job_name)"),
        ("SELECT 1 /* $(job_name) */", "SELECT 1 /* $(job_name) */"),
        ("SELECT $(other), '$(other)'", "SELECT $(other), '$(other)'"),
        ("SELECT $(job_name", "SELECT $(job_name"),
        ("SELECT $ (job_name)", "SELECT $ (job_name)"),
        ("no variable at all", "no variable at all"),
    ],
)
def test_where_it_stands_decides_what_it_becomes(script: str, expected: str) -> None:
    assert substitute(script, _VALUES) == expected


@given(st.text(), st.sampled_from(["SELECT {} + 1", "SELECT 'a{}b', 1", "SELECT [a{}b], 1", 'SELECT "a{}b", 1']))
def test_no_value_can_change_the_structure_of_a_script(value: str, template: str) -> None:
    replaced = substitute(template.format("$(job_name)"), {"job_name": value})
    harmless = substitute(template.format("$(job_name)"), {"job_name": "x"})
    assert [region.kind for region in regions(replaced)] == [region.kind for region in regions(harmless)]


def test_a_value_that_looks_like_a_variable_is_not_replaced_again() -> None:
    assert substitute("SELECT $(job_name)", {"job_name": "$(step_id)", "step_id": 1}) == "SELECT N'$(step_id)'"


def test_unknown_names_are_told_once_and_sorted() -> None:
    script = "SELECT $(zeta), '$(alpha)', $(zeta), $(Job_Name) -- $(comment)"
    assert unknown_variables(script) == ["alpha", "zeta"]
