from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.connections.connection_string import connection_string
from airflow_provider_elasticjobs.connections.driver import find_driver
from airflow_provider_elasticjobs.job_database.install import upgrade
from benchmarks.bare import BareClients
from benchmarks.measure import POOL, TIER_POOL, BrokenRunError, dag_plan, running_by_rows, running_by_tasks, write_dags
from benchmarks.plan import VARIANTS, order
from benchmarks.servers import SandboxServers, odbc_connections

pytestmark = pytest.mark.sandbox_only


@pytest.fixture(scope="module")
def servers() -> Iterator[SandboxServers]:
    with SandboxServers((3, 5), 2) as started:
        yield started


def strings(servers: SandboxServers, size: int) -> list[str]:
    return [
        connection_string(servers.settings, find_driver(), server, database)
        for server, databases in servers.targets(size).items()
        for database in databases
    ]


class TestServers:
    def test_each_fleet_has_servers_of_its_own_in_shared_processes(self, servers: SandboxServers) -> None:
        assert [sum(map(len, servers.targets(size).values())) for size in (3, 5)] == [3, 5]
        assert set(servers.targets(3)).isdisjoint(servers.targets(5))
        pids = servers.pids()
        assert [len(pids[name]) for name in ("job database", "target servers")] == [1, 2]

    def test_the_odbc_provider_gets_a_connection_for_each_server(self, servers: SandboxServers) -> None:
        found = odbc_connections(servers, 5)
        assert list(found) == ["odbc_1_of_5", "odbc_2_of_5"]
        assert len({one["host"] for one in found.values()}) == 2

    def test_what_the_dag_files_read(self, servers: SandboxServers, tmp_path: Path) -> None:
        plan = dag_plan(list(order(["no-op"], [5], tuple(VARIANTS), 2)), servers, 16)
        usual = dict.fromkeys(("expand", "defer", "deferrable", "worker", "chunks"), POOL)
        wide = dict.fromkeys(("defer_wide", "tier"), TIER_POOL)
        assert {one["variant"]: one["pool"] for one in plan.values()} == {**usual, **wide}
        assert all(one["servers"] == list(servers.targets(5)) for one in plan.values())
        assert json.loads(write_dags(tmp_path, plan).read_text()) == plan
        assert {path.stem for path in tmp_path.glob("*.py")} == set(plan)

    def test_asking_for_the_counters_is_not_counted(self, servers: SandboxServers) -> None:
        before = servers.job_database_counters()
        with closing(servers.job_database) as job_database:
            upgrade(job_database)
        after = servers.job_database_counters()
        assert after["logins"] > before["logins"]
        assert servers.job_database_counters() == after


class TestBare:
    def test_each_script_runs_once_whatever_the_number_of_processes(self, servers: SandboxServers) -> None:
        mark = uuid4().hex
        with BareClients(2) as clients:
            assert clients.run(strings(servers, 5), f"/* {mark} */ SELECT 1; SELECT 2;", 2) > 0
        ran = [
            one["database"]
            for name in servers.targets(5)
            for one in servers.clients[name].statements(name, containing=mark)
        ]
        assert sorted(ran) == sorted(name for names in servers.targets(5).values() for name in names)

    def test_a_script_that_fails_is_no_measurement(self, servers: SandboxServers) -> None:
        with BareClients() as clients, pytest.raises(pyodbc.Error, match=r"(?i)divide by zero"):
            clients.run(strings(servers, 3), "SELECT 1 / 0;", 2)


class TestRunning:
    def test_a_run_without_all_attempts_is_no_measurement(self, servers: SandboxServers) -> None:
        with closing(servers.job_database) as job_database:
            upgrade(job_database)
            with pytest.raises(BrokenRunError, match="on 5 databases"):
                running_by_rows(job_database, uuid4(), 5, 5)

    def test_mapped_tasks_by_airflows_times(self) -> None:
        def instance(began: str, ended: str, state: str = "success") -> dict[str, str]:
            minute = "2026-01-02T03:04"
            return {"start_date": f"{minute}:{began}Z", "end_date": f"{minute}:{ended}Z", "state": state}

        found = running_by_tasks([instance("01.5", "04"), instance("02", "03")], 2)
        assert (found.seconds, found.tasks) == (2.5, 2)
        with pytest.raises(BrokenRunError, match="1 of 2 tasks"):
            running_by_tasks([instance("01", "02"), instance("01", "02", "failed")], 2)
