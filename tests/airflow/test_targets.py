"""Databases found by pattern, query and earlier run, with values of their own, from the DAG to the server."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from tests.airflow.test_operations import command, parsed
from tests.airflow.world import SCENARIOS, TENANTS, World
from tests.job_database_invariants import broken_invariants


def test_a_catalogs_rows_and_patterns_and_what_they_are_given(world: World) -> None:
    run = world.start("example_targets", "Targets")
    assert run.state() == "success"
    assert run.lifecycles(1) == {"history1": "Succeeded"}
    assert run.lifecycles(2) == dict.fromkeys(["database2", "database3"], "Succeeded")
    assert run.lifecycles(3) == dict.fromkeys(["database1", "database10", "database12"], "Succeeded")
    invoices = world.query("SELECT tenant, customer, amount, month FROM dbo.Invoices", "database2", TENANTS)
    assert [tuple(row) for row in invoices] == [(2, "O'Hara & Sons", Decimal("20.50"), date(2026, 1, 1))]
    labels = [
        world.query("SELECT text FROM dbo.Label", database, TENANTS)[0][0] for database in ("database1", "database10")
    ]
    assert labels == ["it's the first", "a database of two digits"]
    index = run.index_of("database2", "charge.run")
    assert "Charged for 2026-01-01" in run.log("charge.run", index)
    assert not [
        name
        for name in ("charge.resolve", "charge.run")
        if "O'Hara" in run.log(name, index if name == "charge.run" else -1)
    ]
    assert broken_invariants(world.job_database) == []
    code, said = command(
        world, "targets", "resolve", "example_targets", "--conf", '{"least_price": "25"}', "--output", "json"
    )
    assert code == 0, said
    found = {(one["task_id"], one["database_name"]) for one in parsed(said)}
    assert found == {
        ("Targets.catalog.resolve", "history1"),
        ("Targets.charge.resolve", "database3"),
        *(("Targets.label.resolve", name) for name in ("database1", "database10", "database12")),
    }
    code, said = command(world, "targets", "resolve", "Databases by pattern", "--output", "json")
    assert {one["database_name"] for one in parsed(said)} == {"database1", "database10", "database12"}


def test_only_the_failed_databases_of_a_run_are_done_again(world: World) -> None:
    failed = world.start("repeated")
    assert failed.state() == "failed"
    again = world.start("example_repeat_failed", "Repeat_failed", conf={"job_execution_id": str(failed.execution)})
    assert again.state() == "success"
    assert again.lifecycles() == {"repeated2": "Succeeded"}
    assert again.labels("step1.run") == [f"{SCENARIOS}/repeated2"]
    missing = world.start(
        "example_repeat_failed",
        "Repeat_failed",
        conf={"job_execution_id": str(again.rows[0].job_execution_id)[:-4] + "0000"},
    )
    assert missing.state() == "failed"
    assert "it never was, or its history was purged" in missing.log("step1.resolve")
    assert again.rows[0].job_version == missing.rows[0].job_version == 1
    assert broken_invariants(world.job_database) == []
