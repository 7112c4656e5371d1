"""The examples and the scenarios, on a real scheduler, triggerer and pool, by Microsoft's driver."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.airflow.world import (
    ARCHIVE,
    CLIENT_SECRET,
    IDENTITIES,
    LOGIN,
    PASSWORD,
    SCENARIOS,
    TENANTS,
    Run,
    World,
    token_of,
    until,
)
from tests.job_database_invariants import broken_invariants

EVERYONE = [f"database{number}" for number in range(1, 13)]
ALL_BUT_DB2 = [name for name in EVERYONE if name != "database2"]

STARTED = {
    "example_elastic_job": "Job1",
    "example_building_blocks": "resolve",
    "worker": "worker",
    "capacity": "capacity",
    "markone": "markone",
    "markoneinworker": "markoneinworker",
    "markrun": "markrun",
    "queuedrun": "queuedrun",
    "cleared": "cleared",
    "skipped": "skipped",
    "nopool": "nopool",
    "resolving": "resolving",
    "empty": "empty",
    "branch": "branch_job",
    "fail": "fail",
    "identities": "identities",
    "unreachable": "resolve",
}


@pytest.fixture(scope="module")
def runs(world: World) -> dict[str, Run]:
    """All runs, begun at once: while a test waits for one, the others go on."""
    return {dag_id: world.start(dag_id, group_id) for dag_id, group_id in STARTED.items()}


def tables(world: World, name: str) -> list[str]:
    query = f"SELECT name FROM sys.tables WHERE name = '{name}'"
    return [database for database in EVERYONE if world.query(query, database, TENANTS)]


class TestExampleElasticJob:
    def test_both_steps_ran_where_they_should(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["example_elastic_job"]
        assert run.state() == "success"
        assert run.lifecycle == "Succeeded"
        assert sorted(run.lifecycles(1)) == sorted(EVERYONE)
        assert sorted(run.lifecycles(2)) == sorted(ALL_BUT_DB2)
        assert len(run.rows) == 1 + 2 + 12 + 11
        assert tables(world, "Step1Table") == EVERYONE
        assert tables(world, "Step2Table") == ALL_BUT_DB2

    def test_the_grid_calls_each_task_by_server_and_database(self, runs: dict[str, Run]) -> None:
        run = runs["example_elastic_job"]
        run.state()
        assert sorted(run.labels("step2.run")) == sorted(f"{TENANTS}/{name}" for name in ALL_BUT_DB2)

    def test_a_second_run_changes_nothing_and_succeeds(self, world: World, runs: dict[str, Run]) -> None:
        first = runs["example_elastic_job"]
        first.state()
        second = world.start("example_elastic_job", "Job1")
        assert second.state() == "success"
        assert second.execution != first.execution
        assert second.lifecycle == "Succeeded"
        assert second.rows[0].job_version == first.rows[0].job_version == 1
        assert tables(world, "Step2Table") == ALL_BUT_DB2

    def test_its_end_is_told_in_the_log(self, runs: dict[str, Run]) -> None:
        run = runs["example_elastic_job"]
        run.state()
        log = run.log("finish")
        assert f"Job Job1 ({run.execution}): Succeeded" in log
        assert "Step 2 step2: Succeeded. Targets: 11 Succeeded" in log


class TestOtherExamples:
    def test_nightly_collect_logs_how_many_rows_each_database_gave(self, world: World, runs: dict[str, Run]) -> None:
        runs["example_elastic_job"].state()
        run = world.start_alone("example_nightly_collect", "Nightly_collect")
        assert run.state() == "success"
        assert sorted(run.lifecycles()) == ["database1", "database11", "database12", "history1"]
        assert f"{ARCHIVE}/history1" in run.labels("tables.run")
        log = run.log("tables.run", run.index_of("database1", "tables.run"))
        counted = re.search(r"3 column\(s\) and (\d+) row\(s\)", log)
        assert counted is not None
        assert int(counted[1]) >= len(["Step1Table", "Step2Table"])
        assert "0 row(s)" in run.log("tables.run", run.index_of("history1", "tables.run"))

    def test_outputs_of_all_databases_are_in_one_table(self, world: World, runs: dict[str, Run]) -> None:
        runs["example_elastic_job"].state()
        run = world.start_alone("example_output", "Collect_tables")
        assert run.state() == "success"
        rows = world.query(
            "SELECT server_name, database_name, LOWER(CAST(job_execution_id AS varchar(36))), table_name, "
            "LOWER(CAST(internal_execution_id AS varchar(36))) FROM dbo.TenantTables "
            # Other runs wrote there, too.
            f"WHERE job_execution_id = '{run.execution}'",
            "history1",
            ARCHIVE,
        )
        assert {row[0] for row in rows} == {TENANTS}
        assert sorted(row[1] for row in rows if row[3] == "Step1Table") == sorted(EVERYONE)
        assert {row[2] for row in rows} == {str(run.execution)}
        assert len({row[4] for row in rows}) == len(EVERYONE)
        log = run.log("collect.run", run.index_of("database1", "collect.run"))
        assert "row(s) written to the output" in log

    def test_building_blocks_are_a_job_of_one_step(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["example_building_blocks"]
        assert run.state() == "success"
        assert run.rows[0].job_name == "Visits"
        assert run.lifecycle == "Succeeded"
        assert sorted(run.lifecycles()) == sorted(ALL_BUT_DB2)
        visits = world.query("SELECT job_execution_id, airflow_run FROM dbo.Visits", "database5", TENANTS)
        assert [(str(one[0]).lower(), one[1]) for one in visits] == [(str(run.execution), run.run_id)]
        log = world.airflow.task_log(run.dag_id, run.run_id, "visit", 0)
        assert "Visited by Visits" in log

    def test_the_definitions_can_be_read_in_the_job_database(self, world: World, runs: dict[str, Run]) -> None:
        runs["example_elastic_job"].state()
        with world.open("job_database", "jobs.database.windows.net") as connection:
            columns = "step_id, step_name, command, target_group_name, max_parallelism"
            query = f"SELECT {columns} FROM jobs.jobsteps WHERE job_name = 'Job1' ORDER BY step_id"
            steps = connection.execute(query).fetchall()
        assert [(one.step_id, one.step_name, one.target_group_name, one.max_parallelism) for one in steps] == [
            (1, "step1", "ServerGroup", None),
            (2, "step2", "ServerGroupExcludingDb2", 5),
        ]
        assert steps[0].command.startswith("IF NOT EXISTS (SELECT * FROM sys.tables")


class TestScenarios:
    def test_scripts_run_in_workers_too(self, runs: dict[str, Run]) -> None:
        run = runs["worker"]
        assert run.state() == "success"
        assert run.lifecycles() == {"worker1": "Succeeded", "worker2": "Succeeded"}
        assert "hello from a worker" in run.log("only.run", 0)

    def test_a_pool_of_three_never_runs_more_than_three(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["capacity"]
        assert run.state() == "success"
        assert set(run.lifecycles().values()) == {"Succeeded"}
        assert 2 <= world.sandbox.peak_running(SCENARIOS, containing="capacity") <= 3

    def test_a_group_without_databases_has_nothing_to_do_and_the_job_goes_on(self, runs: dict[str, Run]) -> None:
        run = runs["empty"]
        assert run.state() == "success"
        assert run.states("none.run") == ["skipped"]
        assert run.states("some.run") == ["success"]
        assert run.states("after") == ["success"]
        assert run.lifecycle == "Succeeded"
        assert [str(row.lifecycle) for row in run.rows if row.target_type == "TargetGroup"] == ["Succeeded"] * 2

    def test_a_job_that_a_branch_left_out_does_not_begin_and_does_not_fail(self, runs: dict[str, Run]) -> None:
        run = runs["branch"]
        assert run.state() == "success"
        left_out = ("first.resolve", "first.run", "second.resolve", "second.run", "finish")
        assert [run.states(task) for task in left_out] == [["skipped"]] * 5
        assert run.rows == []

    def test_a_missing_pool_is_said_before_anything_runs(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["nopool"]
        assert run.state() == "failed"
        note = run.tasks["only.resolve"][0]["note"]
        assert (
            note
            == "The pool 'JA800' does not exist. Create it with 'airflow elasticjobs tier JA800', then clear this task."
        )
        assert run.rows == []

    def test_a_server_that_is_down_fails_the_step_with_its_name(self, runs: dict[str, Run]) -> None:
        run = runs["unreachable"]
        assert run.state() == "failed"
        assert run.lifecycle == "Failed"
        step = next(row for row in run.rows if row.step_id == 1)
        assert "nowhere.database.windows.net" in (step.last_message or "")

    def test_where_an_earlier_run_of_the_step_is_not_through_the_target_is_skipped(
        self, world: World, runs: dict[str, Run]
    ) -> None:
        first = runs["skipped"]
        until(lambda: world.running("skipped1"), 90, "the first script's start")
        second = world.start("skipped")
        assert second.state() == "success"
        assert second.states("only.run") == ["skipped"]
        assert second.lifecycles() == {"skipped1": "Skipped"}
        assert second.lifecycle == "Skipped"
        assert "an earlier execution of this job is still running" in second.messages()["skipped1"]
        world.query("CREATE TABLE dbo.Released (x int)", "skipped1")
        assert first.state() == "success"
        assert first.lifecycles() == {"skipped1": "Succeeded"}


class TestIdentities:
    def test_each_member_of_a_group_is_worked_on_as_its_own_identity(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["identities"]
        assert run.state() == "failed"
        names = [LOGIN, LOGIN, "managed", "managed", "principal", "principal", "workload"]
        for number, name in enumerate(names, 1):
            assert [tuple(row) for row in world.query("SELECT by_whom FROM dbo.Ran", f"identities{number}")] == [
                (name,)
            ]
        assert sorted(run.lifecycles().values()) == ["Failed"] + ["Succeeded"] * 7

    def test_one_that_the_server_does_not_know_is_named_in_its_row(self, runs: dict[str, Run]) -> None:
        run = runs["identities"]
        run.state()
        said = run.messages()["identities8"]
        assert "managed identity 'refused': the login failed" in said
        assert "the login failed" in run.log("only.run", run.index_of("identities8", "only.run"))

    def test_each_identity_asks_for_one_token_in_the_process_that_runs_the_scripts(
        self, world: World, runs: dict[str, Run]
    ) -> None:
        runs["identities"].state()
        asked = [request.client_id for request in world.identities.requests]
        assert sorted(asked) == sorted(IDENTITIES)


class TestFailure:
    def test_a_failed_target_ends_the_job_and_not_its_siblings(self, runs: dict[str, Run]) -> None:
        run = runs["fail"]
        assert run.state() == "failed"
        assert run.lifecycles(1) == {"fail1": "Succeeded", "fail2": "Failed", "fail3": "Succeeded"}
        assert run.lifecycles(2) == {}
        assert run.lifecycle == "Failed"
        assert sorted(run.states("first.run")) == ["failed", "success", "success"]
        assert run.states("second.resolve") == ["upstream_failed"]

    def test_the_failed_one_has_its_label_and_says_why(self, runs: dict[str, Run]) -> None:
        run = runs["fail"]
        run.state()
        index = run.index_of("fail2", "first.run")
        assert run.labels("first.run")[index] == f"{SCENARIOS}/fail2"
        assert "divide by zero" in run.log("first.run", index).casefold()
        assert "divide by zero" in run.messages()["fail2"].casefold()

    def test_clearing_what_failed_runs_it_alone_in_the_same_execution(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["fail"]
        run.state()
        execution = run.execution
        world.query("CREATE TABLE dbo.Repaired (x int)", "fail2")
        world.airflow.clear(run.dag_id, run.run_id, [("fail.first.run", run.index_of("fail2", "first.run"))])
        assert run.state() == "success"
        tries = {one["rendered_map_index"]: one["try_number"] for one in run.tasks["first.run"]}
        assert tries == {f"{SCENARIOS}/fail1": 1, f"{SCENARIOS}/fail2": 2, f"{SCENARIOS}/fail3": 1}
        assert {row.job_execution_id for row in run.rows} == {execution}
        assert run.lifecycle == "Succeeded"
        assert set(run.lifecycles(2).values()) == {"Succeeded"}


class TestCancel:
    @pytest.mark.parametrize("name", ["markone", "markoneinworker"])
    def test_marking_one_task_ends_its_statement_on_the_server(
        self, world: World, runs: dict[str, Run], name: str
    ) -> None:
        run, database = runs[name], f"{name}1"
        until(lambda: world.running(database), what="the script's start")
        index = run.index_of(database, "only.run")
        world.airflow.set_task_state(run.dag_id, run.run_id, f"{name}.only.run", "failed", index)
        until(lambda: not world.running(database), 20, "the end of the statement")
        assert [one["outcome"] for one in world.scripts(database)] == ["cancelled"]
        assert run.state() == "failed"
        assert run.lifecycles() == {f"{name}1": "Canceled", f"{name}2": "Succeeded"}
        assert run.lifecycle == "Canceled"

    def test_clearing_a_running_task_ends_its_statement_and_runs_it_again(
        self, world: World, runs: dict[str, Run]
    ) -> None:
        run = runs["cleared"]
        until(lambda: world.running("cleared1"), 90, "the script's start")
        world.airflow.clear(run.dag_id, run.run_id, [("cleared.only.run", 0)], only_failed=False)
        assert run.state() == "success"
        assert run.lifecycles() == {"cleared1": "Succeeded"}
        outcomes = [one["outcome"] for one in sorted(world.scripts("cleared1"), key=lambda one: one["number"])]
        assert outcomes == ["cancelled", "succeeded"]
        assert world.sandbox.peak_running(SCENARIOS, database="cleared1", containing="WAITFOR") == 1

    def test_marking_the_run_stops_everything(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["markrun"]
        until(lambda: world.running("markrun1") and world.running("markrun2"), what="the scripts' start")
        world.airflow.set_run_state(run.dag_id, run.run_id, "failed")
        until(lambda: not world.running("markrun1") and not world.running("markrun2"), 20, "the scripts' end")
        assert run.state() == "failed"
        assert run.lifecycles() == {"markrun1": "Canceled", "markrun2": "Canceled"}
        assert run.lifecycle == "Canceled"

    def test_marking_the_run_ends_what_waits_for_its_targets(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["resolving"]
        until(lambda: "WaitingForRetry" in [str(row.lifecycle) for row in run.rows], 90, "the first failure")
        world.airflow.set_run_state(run.dag_id, run.run_id, "failed")
        assert run.state() == "failed"
        assert [str(row.lifecycle) for row in run.rows] == ["Canceled", "Canceled"]

    def test_marking_the_run_ends_what_waits_for_the_pool(self, world: World, runs: dict[str, Run]) -> None:
        run = runs["queuedrun"]
        databases = ["queuedrun1", "queuedrun2", "queuedrun3"]
        until(lambda: sum(world.running(database) for database in databases) == 1, what="the first script's start")
        world.airflow.set_run_state(run.dag_id, run.run_id, "failed")
        assert run.state() == "failed"
        assert run.lifecycles() == dict.fromkeys(databases, "Canceled")
        assert run.lifecycle == "Canceled"


@pytest.mark.parametrize(("dag_id", "state"), [("example_building_blocks", "success"), ("unreachable", "failed")])
def test_a_dag_can_be_tried_in_one_process(world: World, dag_id: str, state: str) -> None:
    tried = world.airflow.cli("dags", "test", dag_id)
    assert f"state={state}" in tried.stdout.replace(": ", "=")


def test_the_command_line_knows_the_job_database_and_the_tiers(world: World) -> None:
    checked = world.airflow.cli("elasticjobs", "db", "check")
    assert (checked.returncode, "is ready" in checked.stdout) == (0, True)
    pool = world.airflow.api("GET", "pools/JA100")
    assert (pool["slots"], pool["include_deferred"]) == (100, True)
    missing = world.airflow.cli("elasticjobs", "db", "check", "--conn-id", "nobody")
    assert missing.returncode == 1
    assert "nobody" in missing.stdout


@pytest.mark.parametrize("name", ["scheduler", "dag-processor", "triggerer"])
def test_a_component_has_loaded_what_its_children_need(world: World, name: str) -> None:
    """Seen by the driver's module, the only one of them that is a library: no component connects to a target itself."""
    libraries = Path(f"/proc/{world.airflow.component(name).pid}/maps").read_text()
    assert "/pyodbc." in libraries


def test_no_rule_of_the_job_database_is_broken(world: World, runs: dict[str, Run]) -> None:
    for run in runs.values():
        run.state()
    assert broken_invariants(world.job_database) == []


def test_no_secret_is_to_be_seen(world: World, runs: dict[str, Run]) -> None:
    """In no log, and in no row of Airflow's database or of the job database."""
    for run in runs.values():
        run.state()
    assert set(world.identities.tokens) == {token_of(client_id) for client_id in IDENTITIES}
    home = world.airflow.folder
    kept = [*home.rglob("*"), *Path(world.sandbox.folder).rglob("*")]
    assert len(kept) > 100
    for secret in (PASSWORD, CLIENT_SECRET, world.identities.header, *world.identities.tokens):
        assert [str(path) for path in kept if _holds(path, secret)] == [], secret


def test_a_secret_can_be_found_where_it_is(world: World, tmp_path: Path) -> None:
    """Else the test above could not fail."""
    (tmp_path / "x.log").write_text(f"password={PASSWORD}")
    (tmp_path / "y.log").write_bytes(token_of("managed").encode("utf-16-le"))
    assert _holds(tmp_path / "x.log", PASSWORD)
    assert _holds(tmp_path / "y.log", token_of("managed"))


def _holds(path: Path, text: str) -> bool:
    """Whether a file holds a text, also as the driver is given tokens."""
    content = path.read_bytes() if path.is_file() else b""
    return text.encode() in content or text.encode("utf-16-le") in content
