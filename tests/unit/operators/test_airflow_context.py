from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.job_database.records import AirflowRef
from airflow_provider_elasticjobs.model.identifiers import job_execution_id
from airflow_provider_elasticjobs.operators.airflow_context import airflow_ref, execution_of_run
from tests.unit.operators.contexts import context


def test_a_mapped_task_says_where_it_is() -> None:
    assert airflow_ref(context(map_index=4, try_number=2)) == AirflowRef("a_dag", "a_run", "a_task", 4, 2, 0)


def test_a_task_that_is_not_mapped_has_index_minus_one() -> None:
    assert airflow_ref(context(map_index=None)).map_index == -1


@pytest.mark.parametrize(
    ("max_tries", "retries", "clear_number"),
    [
        (0, 0, 0),  # the first try
        (2, 2, 0),  # any of its retries
        (1, 0, 1),  # cleared after one try
        (5, 2, 3),  # cleared after its third try
        (-1, 0, 0),  # as dag.test() may have it
    ],
)
def test_only_a_clear_begins_another_round(max_tries: int, retries: int, clear_number: int) -> None:
    assert airflow_ref(context(max_tries=max_tries, retries=retries)).clear_number == clear_number


def test_the_run_is_known_by_dag_run_and_group() -> None:
    assert execution_of_run(context(), "Job1") == job_execution_id("a_dag", "a_run", "Job1")
    assert execution_of_run(context(), "Job1") != execution_of_run(context(), "Job2")
