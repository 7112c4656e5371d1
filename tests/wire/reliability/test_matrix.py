"""What the server did and what the row says, for each thing that goes wrong, each kind of step, and both modes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.install import upgrade
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer
from tests.wire.reliability import page
from tests.wire.reliability.cells import PASSWORD, Cell, Host, Result
from tests.wire.reliability.scenarios import MODES, SCENARIOS, VARIANTS, Scenario

#: ``make reliability`` sets it: the results are recorded, and the page's table is written from them.
WRITE = os.environ.get("ELASTICJOBS_WRITE_RELIABILITY") == "1"

CELLS = list(product(SCENARIOS, VARIANTS, MODES))
NAMES = [f"{scenario.name}-{variant}-{mode}" for scenario, variant, mode in CELLS]
_AT_A_TIME = 16
_EVENTS = {"Succeeded": "success", "Skipped": "skipped", "Failed": "failed", "TimedOut": "failed"}


@dataclass
class Played:
    """A cell, and what became of it."""

    cell: Cell
    result: Result


class Matrix:
    """Makes the cells, the processes that host them, and plays all of them side by side."""

    def __init__(
        self,
        server: LiveServer,
        sandbox: SandboxClient,
        installed: JobDatabase,
        new_database: Callable[[], str],
        folder: Path,
    ) -> None:
        self._server = server
        self._sandbox = sandbox
        self._new_database = new_database
        self.job_databases = [installed]
        self._environment = {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__UNIT_TEST_MODE": "True"}
        self._connection("scripts")
        self._connection("job_database", schema=installed.database)
        self._all_run = threading.Barrier(len(VARIANTS), timeout=240)
        self._cells = {key: self._cell(*key) for key in CELLS}

    def _connection(self, conn_id: str, *, login: str | None = None, schema: str = "") -> str:
        settings = self._server.settings
        assert isinstance(settings.authentication, SqlLogin)
        own = (settings.authentication.login, settings.authentication.password)
        user, password = own if login is None else (login, PASSWORD)
        addresses = {name: f"{each.host},{each.port}" for name, each in settings.host_map.items()}
        self._environment[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(
            {
                "conn_type": "elasticjobs",
                "host": self._server.name,
                "login": user,
                "password": password,
                "schema": schema,
                "extra": {"host_map": addresses, "trust_server_certificate": True},
            }
        )
        return conn_id

    def _cell(self, scenario: Scenario, variant: str, mode: str) -> Cell:
        number = CELLS.index((scenario, variant, mode))
        login = f"halfway_{number}" if scenario.act == "password" else None
        job_database, job_conn_id = self.job_databases[0], "job_database"
        if scenario.act == "job_database_away":
            job_database = self._server.job_database(self._new_database())
            upgrade(job_database)
            self.job_databases.append(job_database)
            job_conn_id = self._connection(f"job_database_{number}", schema=job_database.database)
        return Cell(
            scenario,
            mode,
            variant,
            self._server,
            self._sandbox,
            self._new_database(),
            job_database,
            job_conn_id,
            "scripts" if login is None else self._connection(login, login=login),
            login,
            self._all_run.wait if mode == "deferrable" else lambda: None,
        )

    def play(self) -> dict[tuple[Scenario, str, str], Played]:
        # A triggerer that is killed takes all its scripts with it: those cells have one of their own.
        hosts = {
            name: Host(name.split()[0], self._environment) for name in ("worker", "deferrable", "deferrable killed")
        }
        try:
            with ThreadPoolExecutor(_AT_A_TIME) as threads:
                # The last scenario first: the scripts of a triggerer that is to be killed wait for each other.
                playing = {key: threads.submit(self._play, self._cells[key], hosts) for key in reversed(self._cells)}
                results = {key: future.result() for key, future in playing.items()}
        finally:
            for host in hosts.values():
                host.close()
        return {key: Played(cell, results[key]) for key, cell in self._cells.items()}

    def _play(self, cell: Cell, hosts: dict[str, Host]) -> Result:
        doomed = cell.mode == "deferrable" and cell.scenario.act == "kill"
        return cell.play(hosts["deferrable killed" if doomed else cell.mode], hosts[cell.mode])


@pytest.fixture(scope="module")
def matrix(
    server: LiveServer,
    installed: JobDatabase,
    new_database: Callable[[], str],
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[tuple[Scenario, str, str], Played]]:
    sandbox = request.getfixturevalue("sandbox_process")
    made = Matrix(server, sandbox, installed, new_database, tmp_path_factory.mktemp("airflow"))
    played = made.play()
    if WRITE:
        page.write([each.result.to_json() for each in played.values()])
    yield played
    for job_database in made.job_databases:
        assert broken_invariants(job_database) == []
        job_database.close()


pytestmark = [pytest.mark.sandbox_only, pytest.mark.timeout(600)]


@pytest.mark.parametrize("key", CELLS, ids=NAMES)
class TestCells:
    def test_it_comes_to_what_is_expected(self, matrix: Any, key: tuple[Scenario, str, str]) -> None:
        scenario, variant, _ = key
        result = matrix[key].result
        expected = scenario.of(variant)
        found = (result.lifecycle, result.outcome, result.attempts, result.sent, result.committed)
        assert found == tuple(expected), matrix[key].cell.run.target().last_message
        assert result.airflow == _EVENTS[result.lifecycle]

    def test_the_job_database_says_nothing_that_the_server_did_not_do(
        self, matrix: Any, key: tuple[Scenario, str, str]
    ) -> None:
        _, variant, _ = key
        result, attempts = matrix[key].result, matrix[key].cell.attempts()
        assert [number for number, _ in attempts] == list(range(1, result.attempts + 1))
        if result.lifecycle == "Succeeded":
            assert result.committed >= 1
        if result.outcome in ("failed", "skipped"):
            assert result.committed == 0
        if result.committed > 1:
            assert variant == "idempotent"
            assert [outcome for _, outcome in attempts] == ["unknown", "succeeded"]
        if variant != "idempotent":
            assert result.committed <= 1
        if variant == "transaction":
            assert result.outcome != "unknown"
            assert result.committed == int(result.outcome == "succeeded")


def test_the_page_has_the_table_of_these_scenarios(matrix: Any) -> None:
    assert page.written() == page.table([each.result.to_json() for each in matrix.values()])
