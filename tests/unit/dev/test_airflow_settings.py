from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path

import pytest

from dev.airflow_settings import AirflowSettings, free_port


@pytest.fixture
def settings(tmp_path: Path) -> AirflowSettings:
    return AirflowSettings(tmp_path / "home", tmp_path / "dags", parallelism=5, port=4321)


def test_everything_it_writes_lies_in_its_folder(settings: AirflowSettings) -> None:
    environment = settings.environment({})
    home = str(settings.folder)
    assert environment["AIRFLOW_HOME"] == home
    paths = ("LOGGING__BASE_LOG_FOLDER", "CORE__PLUGINS_FOLDER", "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH")
    assert all(environment[f"AIRFLOW__{name}"].startswith(home + "/") for name in paths)
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].startswith(f"sqlite:///{home}/airflow.db")
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(settings.dags)


def test_the_api_server_waits_less_for_other_writers_than_they_for_it(settings: AirflowSettings) -> None:
    waits = [
        float(settings.environment({}, command)["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].partition("?timeout=")[2])
        for command in ("api-server", "scheduler")
    ]
    assert waits[0] * 5 <= waits[1]


def test_it_listens_on_this_machine_only(settings: AirflowSettings) -> None:
    environment = settings.environment({})
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings.url == environment["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:4321"
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:4321/execution/"


def test_the_callers_own_airflow_stays_outside(settings: AirflowSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("AIRFLOW__SECRETS__BACKEND", "somewhere")
    monkeypatch.setenv("AIRFLOW_CONN_X", "mssql://")
    environment = settings.environment({})
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW__SECRETS__BACKEND" not in environment
    assert "AIRFLOW_CONN_X" not in environment
    assert environment["PATH"] == os.environ["PATH"]


def test_extra_variables_win(settings: AirflowSettings) -> None:
    environment = settings.environment({"AIRFLOW__CORE__PARALLELISM": "2", "MINE": "x"})
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "2"
    assert environment["MINE"] == "x"
    assert settings.environment({})["AIRFLOW__CORE__PARALLELISM"] == "5"


def test_a_proxy_for_the_outside_world_is_not_asked_for_this_machine(
    settings: AirflowSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    assert "127.0.0.1" in settings.environment({})["no_proxy"]


def test_only_the_owner_reads_the_password(settings: AirflowSettings) -> None:
    settings.folder.mkdir()
    settings.write_password()
    assert json.loads(settings.passwords.read_text()) == {"admin": settings.password}
    assert stat.S_IMODE(settings.passwords.stat().st_mode) == 0o600


def test_two_have_different_secrets_and_show_none(tmp_path: Path) -> None:
    first, second = (AirflowSettings(tmp_path, tmp_path) for _ in range(2))
    assert first.password != second.password
    assert first.secret != second.secret
    assert first.password not in repr(first)
    assert repr(first.secret) not in repr(first)


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))
