from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_elasticjobs.job_database.inspection import Inspection, ServerFacts
from airflow_provider_elasticjobs.job_database.rights import LackingRights, Right

READY = Inspection("s", "d", 9, 9, (), LackingRights("u", ()), ServerFacts())


def test_a_usual_database_is_ready_without_a_word() -> None:
    assert READY.is_ready
    assert READY.problems == READY.facts.warnings == ()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (ServerFacts(engine_edition=11), "a serverless SQL pool"),
        (ServerFacts(engine_edition=3, product_version="14.0.3456.2"), "version is 14: SQL Server 2019"),
        (ServerFacts(collation="Latin1_General_100_BIN2", is_case_sensitive=True), "Latin1_General_100_BIN2"),
        (ServerFacts(has_snapshots=False), "SET READ_COMMITTED_SNAPSHOT ON"),
        (ServerFacts(owners=2), "different owners"),
    ],
    ids=str,
)
def test_what_asks_for_care_is_a_warning_and_no_problem(facts: ServerFacts, words: str) -> None:
    (warning,) = facts.warnings
    assert words in warning
    assert replace(READY, facts=facts).is_ready


@pytest.mark.parametrize("edition", [(5, "12.0.2000.8"), (8, "12.0.2000.8"), (2, "15.0.4390.2"), (3, "17.0.1000.7")])
def test_supported_servers_are_not_warned_of(edition: tuple[int, str]) -> None:
    assert ServerFacts(engine_edition=edition[0], product_version=edition[1]).warnings == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 0, "pending": ("001_tables",)}, "is not installed; this package needs version 9"),
        ({"version": 8, "pending": ("009_x",)}, "has version 8 of the schema; this package needs version 9"),
        (
            {"lacking": LackingRights("u", (Right("SELECT", "jobs"),))},
            "user 'u' lacks the right(s) SELECT on schema jobs",
        ),
        ({"facts": ServerFacts(is_read_only=True)}, "read-only"),
    ],
)
def test_what_stands_in_the_way_of_jobs_is_a_problem(changes: dict[str, object], words: str) -> None:
    found = replace(READY, **changes)  # type: ignore[arg-type]
    (problem,) = found.problems
    assert words in problem
    assert not found.is_ready


def test_it_is_plain_values_for_programs() -> None:
    lacking = LackingRights("u", (Right("SELECT", "jobs"),))
    told = json.loads(json.dumps(replace(READY, version=8, pending=("009_x",), lacking=lacking).to_json()))
    assert (told["version"], told["known_version"], told["pending"], told["is_ready"]) == (8, 9, ["009_x"], False)
    assert told["missing_rights"] == ["SELECT on schema jobs"]
    assert told["grants"] == "GRANT SELECT ON SCHEMA::jobs TO [u];"
    assert len(told["problems"]) == 2
