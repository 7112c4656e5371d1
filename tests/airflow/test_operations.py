"""What people do at the command line while jobs run, and the DAG that keeps the job database tidy."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.airflow.world import JOBS, SCENARIOS, STOPPED_WITHIN, TENANTS, World, until


def command(world: World, *arguments: str) -> tuple[int, str]:
    """Return exit code and output of ``airflow elasticjobs ...``."""
    done = world.airflow.cli("elasticjobs", *arguments)
    return done.returncode, done.stdout


def parsed(output: str) -> Any:
    """Return the JSON list in a command's output, which may follow warnings of Airflow."""
    return json.loads(output[output.index("[\n") :])


def requests(world: World) -> list[dict[str, Any]]:
    """Return the requests to stop a run, as the job database's server saw them."""
    return world.sandbox.statements(JOBS, containing="EXEC jobs_internal.cancel_execution")


def test_a_stop_from_the_command_line_reaches_every_script(world: World) -> None:
    run = world.start("stopped")
    databases = ["stopped1", "stopped2"]
    until(lambda: all(world.running(database) for database in databases), 90, "the scripts' start")
    execution, earlier = str(run.execution), {one["number"] for one in requests(world)}
    with ThreadPoolExecutor(1) as pool:
        watched = pool.submit(command, world, "executions", "watch", execution, "--interval", "0.5")
        code, said = command(world, "executions", "stop", execution)
        assert (code, "is asked to stop" in said) == (0, True)
        until(lambda: not any(world.running(database) for database in databases), 30, "the scripts' end")
        assert run.state() == "failed"
        code, followed = watched.result()
    assert run.lifecycles() == dict.fromkeys(databases, "Canceled")
    assert run.lifecycle == "Canceled"
    scripts = [one for database in databases for one in world.scripts(database)]
    assert [one["outcome"] for one in scripts] == ["cancelled", "cancelled"]
    asked = min(one["started"] for one in requests(world) if one["number"] not in earlier)
    assert max((one["ended"] - asked).total_seconds() for one in scripts) <= STOPPED_WITHIN
    assert code == 1
    assert "Canceled  2 targets: 2 Canceled" in followed


def test_the_groups_of_a_dag_can_be_looked_at_before_anything_runs(world: World) -> None:
    code, said = command(world, "targets", "resolve", "stopped", "--output", "json")
    assert code == 0, said
    assert [(one["server_name"], one["database_name"]) for one in parsed(said)] == [
        (SCENARIOS, "stopped1"),
        (SCENARIOS, "stopped2"),
    ]
    code, said = command(world, "targets", "resolve", "example_nightly_collect", "--output", "json")
    assert code == 0, said
    assert {one["database_name"] for one in parsed(said) if one["server_name"] == TENANTS} == {
        "database1",
        "database11",
        "database12",
    }


def test_what_is_not_there_is_said_in_one_line(world: World) -> None:
    code, said = command(world, "executions", "show", "00000000-0000-0000-0000-000000000000")
    assert (code, "There is no run 00000000" in said, "Traceback" in said) == (1, True, False)


def test_the_maintenance_dag_takes_another_number_of_days(world: World) -> None:
    run = world.start("example_maintenance", conf={"days": 30})
    assert run.state() == "success"
    log = world.airflow.task_log(run.dag_id, run.run_id, "purge", -1)
    assert "Removed 0 run(s)" in log
