"""Parameters of a step and of its targets, from the definition to what the server got."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from airflow_provider_elasticjobs.execution.order import TargetOrder
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.trial import Trial
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import Run

NewRun = Callable[..., Run]

VALUES: dict[str, Any] = {
    "whole": -7,
    "large": 2**40,
    "exact": Decimal("-1.500"),
    "near": 0.1,
    "yes": True,
    "nothing": None,
    "raw": b"\x00\xff'",
    "day": date(2026, 2, 28),
    "moment": datetime.fromisoformat("2026-02-28T23:59:58.123"),
    "clock": time(1, 2, 3),
    "id": UUID(int=255),
}
TABLE = """
CREATE TABLE got (whole int, large bigint, exact decimal(9, 3), near float, yes bit, nothing int, raw varbinary(20),
    day date, moment datetime2(3), clock time(0), id uniqueidentifier);
GO
"""
STORED = (
    "SELECT whole, large, exact, near, yes, nothing, raw, day, moment, clock, LOWER(CAST(id AS nvarchar(36))) FROM got"
)

#: What would do harm, or be expanded again, if a value were pasted.
HARMFUL = (
    "'; DROP TABLE victim; --",
    "\n GO \nDROP TABLE victim;\nGO\n",
    "]; DROP TABLE victim; --",
    '"; DROP TABLE victim; --',
    "$(whole) $(job_name) @whole {{ 1 }} ? %s",
    "*/ DROP TABLE victim; /*",
    "\u2019; DROP TABLE victim; -- \u20ac \U0001f600",
    "-- \\' --",
)


@pytest.mark.parametrize("bind", [False, True])
def test_every_type_reaches_the_server_as_it_is(new_run: NewRun, server: LiveServer, bind: bool) -> None:
    names = ", ".join(f"@{name}" if bind else f"$({name})" for name in VALUES)
    run = new_run(f"{TABLE}INSERT INTO got VALUES ({names});", parameters=VALUES)
    assert run.execution(bind_parameters=bind).run().lifecycle is Lifecycle.SUCCEEDED
    (row,) = server.execute(STORED, run.databases[0])
    assert row == (*list(VALUES.values())[:-1], str(VALUES["id"]))


@pytest.mark.parametrize("bind", [False, True])
@pytest.mark.parametrize("value", HARMFUL)
def test_a_value_never_becomes_script(new_run: NewRun, server: LiveServer, value: str, bind: bool) -> None:
    variable = "@value" if bind else "$(value)"
    run = new_run(
        "CREATE TABLE victim (a int); CREATE TABLE got (direct nvarchar(100), quoted nvarchar(100));\nGO\n"
        f"INSERT INTO got SELECT {variable}, N'<$(value)>' /* $(value) */;",
        parameters={"value": value, "whole": 1},
    )
    assert run.execution(bind_parameters=bind).run().lifecycle is Lifecycle.SUCCEEDED, run.log
    assert server.execute("SELECT direct, quoted FROM got", run.databases[0]) == [(value, f"<{value}>")]
    assert server.execute("SELECT COUNT(*) FROM victim", run.databases[0]) == [(0,)]


def test_a_negative_number_after_a_minus_is_no_comment(new_run: NewRun, server: LiveServer) -> None:
    run = new_run("CREATE TABLE got (a int);\nGO\nINSERT INTO got SELECT 10-$(n) ;", parameters={"n": -5})
    run.execution().run()
    assert server.execute("SELECT a FROM got", run.databases[0]) == [(15,)]


def test_a_targets_own_count_before_the_steps_and_names_have_no_case(new_run: NewRun, server: LiveServer) -> None:
    run = new_run(
        "CREATE TABLE got (a int, b int, c int);\nGO\nINSERT INTO got VALUES ($(A), $(b), @B);", parameters={"a": 1}
    )
    run.execution(parameters={"A": 10, "b": 20}, bind_parameters=True).run()
    assert server.execute("SELECT a, b, c FROM got", run.databases[0]) == [(1, 20, 20)]


def test_a_batch_that_mentions_no_parameter_runs_by_itself(new_run: NewRun, server: LiveServer) -> None:
    """A temporary table lives on between such batches, and a procedure can be made; both not within sp_executesql."""
    run = new_run(
        "CREATE TABLE #kept (a int);\nGO\nINSERT INTO #kept VALUES (@a); CREATE TABLE #scoped (a int);\nGO\n"
        "CREATE PROCEDURE doubled @x int AS SELECT @x * 2 AS y;\nGO\n"
        "SELECT a, CASE WHEN OBJECT_ID('tempdb..#scoped') IS NULL THEN 1 ELSE 0 END AS gone INTO got FROM #kept;",
        parameters={"a": 3},
    )
    assert run.execution(bind_parameters=True).run().lifecycle is Lifecycle.SUCCEEDED, run.log
    assert server.execute("SELECT a, gone FROM got", run.databases[0]) == [(3, 1)]


def test_an_error_names_the_line_of_the_script_also_with_real_parameters(new_run: NewRun) -> None:
    run = new_run("PRINT 'one';\nGO\n\nSELECT @a / 0;", parameters={"a": 3})
    run.execution(bind_parameters=True, retry=replace(run.orders[run.databases[0]].retry, attempts=0)).run()
    assert any("Line 4" in line for line in run.log), run.log


class TestTrials:
    def test_the_server_parses_the_script_and_not_only_the_call(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run("CREATE TABLE got (a int);\nGO\nSELECT @a FROM;", parameters={"a": 3})
        result = run.execution(bind_parameters=True, trial=Trial.PARSE).run()
        assert (result.lifecycle, "batch 2 of 2 (from line 3)" in result.message) == (Lifecycle.FAILED, True)
        fine = new_run("SELECT @a, @b;", parameters={"a": 3, "b": "x"})
        assert fine.execution(bind_parameters=True, trial=Trial.PARSE).run().lifecycle is Lifecycle.SKIPPED, fine.log

    def test_a_script_that_would_get_around_its_rollback_is_refused(self, new_run: NewRun) -> None:
        run = new_run("WHILE @@TRANCOUNT > @n COMMIT;", parameters={"n": 0})
        result = run.execution(bind_parameters=True, trial=Trial.ROLLBACK).run()
        assert (result.lifecycle, "cannot be tried" in result.message) == (Lifecycle.FAILED, True)

    def test_what_ran_with_parameters_is_rolled_back(self, new_run: NewRun, server: LiveServer) -> None:
        run = new_run("INSERT INTO kept VALUES (@a);", parameters={"a": 3})
        server.execute("CREATE TABLE kept (a int)", run.databases[0])
        assert run.execution(bind_parameters=True, trial=Trial.ROLLBACK).run().lifecycle is Lifecycle.SKIPPED, run.log
        assert server.execute("SELECT COUNT(*) FROM kept", run.databases[0]) == [(0,)]


def test_values_are_in_no_log_no_view_and_no_message(new_run: NewRun, server: LiveServer) -> None:
    secret = "Xyzzy-4711-never-to-be-seen"
    run = new_run("SELECT $(own), $(steps), @own, $(none);", parameters={"own": secret})
    changes: dict[str, Any] = {"parameters": {"steps": secret}, "bind_parameters": True}
    run.execution(**changes).run()
    order = replace(run.orders[run.databases[0]], **changes)
    assert run.log
    assert secret not in "\n".join([*run.log, repr(run.orders), repr(order), str(run.rows())])
    assert any("No variable or parameter is called none" in line for line in run.log)
    (row,) = server.execute(
        "SELECT parameters FROM jobs_internal.executions WHERE execution_id ="
        f" '{run.orders[run.databases[0]].execution_id}'",
        run.job_database.database,
    )
    assert json.loads(row[0]) == {"own": secret}


def test_an_order_keeps_types_as_a_triggers_argument(new_run: NewRun) -> None:
    run = new_run("SELECT 1;")
    order = replace(run.orders[run.databases[0]], parameters=VALUES, bind_parameters=True)
    assert TargetOrder.from_json(json.loads(json.dumps(order.to_json()))) == order
