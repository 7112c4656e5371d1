from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.cli import airflow_connection, job_database, sandbox, tier
from airflow_provider_elasticjobs.exceptions import JobDatabaseError, LoginFailedError
from airflow_provider_elasticjobs.job_database import install
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.inspection import Inspection, ServerFacts
from airflow_provider_elasticjobs.job_database.rights import LackingRights, Right
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings

ARGUMENTS = Namespace(conn_id="rows", verbose=False, output="text", to_version=4, yes=False)
READY = Inspection("jobs.example", "jobdb", 2, 2, (), LackingRights("u", ()), ServerFacts())


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> Any:
        raise AssertionError("nothing connects here")

    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")
    monkeypatch.setattr(airflow_connection, "connection_settings", lambda conn_id: conn_id)
    monkeypatch.setattr(
        job_database, "open_job_database", lambda _: JobDatabase(refuse, server="jobs.example", database="jobdb")
    )


@pytest.mark.usefixtures("database")
class TestJobDatabase:
    def test_upgrade_says_what_it_did(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(install, "upgrade", lambda _: ["001_tables", "002_views"])
        monkeypatch.setattr(install, "current_version", lambda _: 2)
        job_database.upgrade(ARGUMENTS)
        assert (
            capsys.readouterr().out == "jobs.example/jobdb has version 2 of the schema: applied 001_tables, 002_views\n"
        )

    def test_upgrade_again_has_nothing_to_do(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(install, "upgrade", lambda _: [])
        monkeypatch.setattr(install, "current_version", lambda _: 2)
        job_database.upgrade(ARGUMENTS)
        assert "nothing to do" in capsys.readouterr().out

    def test_upgrade_that_fails_is_one_line_and_a_bad_exit_code(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: JobDatabase) -> list[str]:
            raise LoginFailedError("login failed on jobs.example")

        monkeypatch.setattr(install, "upgrade", refuse)
        with pytest.raises(SystemExit, match=r"^login failed on jobs\.example$"):
            job_database.upgrade(ARGUMENTS)

    def found(self, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        monkeypatch.setattr(job_database, "inspect_job_database", lambda _: replace(READY, **changes))

    def test_check_tells_the_version(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.found(monkeypatch)
        job_database.check(ARGUMENTS)
        assert capsys.readouterr().out == "jobs.example/jobdb is ready: version 2 of the schema\n"

    def test_check_warns_and_is_content(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.found(monkeypatch, facts=ServerFacts(has_snapshots=False))
        job_database.check(ARGUMENTS)
        warning, ready = capsys.readouterr().out.splitlines()
        assert warning.startswith("Warning: READ_COMMITTED_SNAPSHOT is off")
        assert "is ready" in ready

    def test_check_says_all_that_is_wrong_and_fails(self, monkeypatch: pytest.MonkeyPatch) -> None:
        lacking = LackingRights("u", (Right("CREATE TABLE"),))
        self.found(monkeypatch, version=0, pending=("001_tables",), lacking=lacking)
        with pytest.raises(SystemExit) as ended:
            job_database.check(ARGUMENTS)
        first, second = str(ended.value.code).splitlines()
        assert "jobs.example/jobdb is not ready: it is not installed" in first
        assert "run 'airflow elasticjobs db upgrade'" in first
        assert "GRANT CREATE TABLE TO [u];" in second

    @pytest.mark.parametrize(("pending", "code"), [((), 0), (("002_x",), 1)])
    def test_check_for_programs(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        pending: tuple[str, ...],
        code: int,
    ) -> None:
        self.found(monkeypatch, pending=pending)
        with pytest.raises(SystemExit) as ended:
            job_database.check(Namespace(**{**vars(ARGUMENTS), "output": "json"}))
        assert ended.value.code == code
        told = json.loads(capsys.readouterr().out)
        assert (told["pending"], told["is_ready"], told["version"]) == (list(pending), not pending, 2)

    def test_check_of_what_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: JobDatabase) -> Inspection:
            raise JobDatabaseError("no route to jobs.example")

        monkeypatch.setattr(job_database, "inspect_job_database", refuse)
        with pytest.raises(SystemExit, match="no route to jobs"):
            job_database.check(ARGUMENTS)

    @pytest.mark.parametrize(
        ("undone", "version", "words"),
        [
            (["006_y", "005_x"], 4, "has version 4 of the schema: undone 006_y, 005_x"),
            ([], 4, "has version 4 of the schema: nothing to do"),
            (["001_x"], 0, "holds nothing of the job database any more: undone 001_x"),
        ],
    )
    def test_downgrade_says_what_it_did(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        undone: list[str],
        version: int,
        words: str,
    ) -> None:
        asked: list[Any] = []

        def undo(_: JobDatabase, version: int, *, accept_loss: bool) -> list[str]:
            asked.append((version, accept_loss))
            return undone

        monkeypatch.setattr(job_database, "downgrade_steps", undo)
        monkeypatch.setattr(install, "current_version", lambda _: version)
        job_database.downgrade(ARGUMENTS)
        assert capsys.readouterr().out == f"jobs.example/jobdb {words}\n"
        assert asked == [(4, False)]

    def test_downgrade_that_is_refused_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: Any, **__: Any) -> list[str]:
            raise JobDatabaseError("would lose 5 row(s): say --yes")

        monkeypatch.setattr(job_database, "downgrade_steps", refuse)
        with pytest.raises(SystemExit, match=r"would lose 5 row\(s\)"):
            job_database.downgrade(ARGUMENTS)

    def test_a_connection_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(conn_id: str) -> Any:
            raise AirflowNotFoundException(f"{conn_id} is not defined")

        monkeypatch.setattr(airflow_connection, "connection_settings", refuse)
        with pytest.raises(SystemExit, match="rows is not defined: add the connection"):
            job_database.check(ARGUMENTS)


class TestSandbox:
    def test_without_a_file_there_are_twelve_tenants_two_in_a_pool_and_a_job_database(self) -> None:
        tenants, jobs = sandbox.default_settings("made-up").servers
        assert len(tenants.databases) == 12
        assert [database.name for database in tenants.databases if database.elastic_pool == "pool1"] == [
            "database11",
            "database12",
        ]
        assert [database.name for database in jobs.databases] == ["job_database"]

    def test_it_prints_connections_that_airflow_can_import(self) -> None:
        settings = sandbox.default_settings("made-up")
        ports = {"tenants.database.windows.net": 1, "jobs.database.windows.net": 2}
        connections = json.loads(json.dumps(sandbox.connections_of(settings, ports)))
        rows = connections["elasticjobs_job_database"]
        assert (rows["host"], rows["schema"], rows["password"]) == (
            "jobs.database.windows.net",
            "job_database",
            "made-up",
        )
        assert json.loads(rows["extra"])["host_map"]["tenants.database.windows.net"] == "127.0.0.1,1"
        assert connections["elasticjobs_default"]["host"] == "tenants.database.windows.net"

    def test_wrong_settings_are_one_line(self, tmp_path: Any) -> None:
        file = tmp_path / "sandbox.json"
        file.write_text('{"servers": []}')
        with pytest.raises(SystemExit, match="The sandbox does not start: a sandbox needs at least one server"):
            sandbox.serve(Namespace(file=file))

    def test_the_settings_can_be_written_down(self) -> None:
        settings = sandbox.default_settings("made-up")
        assert SandboxSettings.from_json(settings.to_json()) == settings


def test_a_tier_is_a_pool_that_counts_deferred_tasks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[dict[str, Any]] = []

    class Client:
        def create_pool(self, **arguments: Any) -> None:
            made.append(arguments)

    monkeypatch.setattr(tier, "get_current_api_client", Client)
    set_tier = tier.set_tier.__wrapped__.__wrapped__
    set_tier(Namespace(tier="JA200", slots=None, verbose=False))
    set_tier(Namespace(tier="JA200", slots=5, verbose=False))
    assert [(pool["name"], pool["slots"], pool["include_deferred"]) for pool in made] == [
        ("JA200", 200, True),
        ("JA200", 5, True),
    ]
    assert "Pool JA200 has 5 slots" in capsys.readouterr().out
