from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_provider_elasticjobs.sandbox.settings import (
    DatabaseSettings,
    SandboxSettings,
    ServerSettings,
    SettingsError,
)

SETTINGS = SandboxSettings(
    (
        ServerSettings(
            "a.example",
            1433,
            logins={"sa": "hidden"},
            tokens={"hidden-token": "anna"},
            databases=(DatabaseSettings("db1", "pool1"), DatabaseSettings("db2", state="OFFLINE")),
        ),
        ServerSettings("b.example"),
    )
)


def test_json_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "sandbox.json"
    path.write_text(json.dumps(SETTINGS.to_json()), encoding="utf-8")
    assert SandboxSettings.read(path) == SETTINGS


def test_what_is_left_out_has_a_default() -> None:
    read = SandboxSettings.from_json({"servers": [{"name": "a", "databases": [{"name": "db"}]}]})
    assert read == SandboxSettings((ServerSettings("a", databases=(DatabaseSettings("db"),)),))


def test_the_repr_shows_no_secret() -> None:
    assert "hidden" not in repr(SETTINGS)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], "must be an object"),
        ({}, "servers must be a list"),
        ({"servers": []}, "at least one server"),
        ({"servers": [{}]}, "a server: name must be a text"),
        ({"servers": [{"name": "a"}, {"name": "A"}]}, "server name given twice: a"),
        ({"servers": [{"name": "a", "port": 5}, {"name": "b", "port": 5}]}, "port given twice: 5"),
        ({"servers": [{"name": "a", "port": "5"}]}, "a: port must be a number"),
        ({"servers": [{"name": "a", "port": 70_000}]}, "a: port must be a number"),
        ({"servers": [{"name": "a", "logins": {"sa": 1}}]}, "a: logins must be an object of texts"),
        ({"servers": [{"name": "a", "colour": "red"}]}, "unknown field colour"),
        ({"servers": [{"name": "a", "databases": [{}]}]}, "a: a database: name must be a text"),
        ({"servers": [{"name": "a", "databases": [{"name": "d", "state": 1}]}]}, "state must be a text"),
        ({"servers": [{"name": "a", "databases": [{"name": "d", "elastic_pool": 1}]}]}, "elastic_pool must be a text"),
    ],
)
def test_what_is_wrong_is_named(data: object, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        SandboxSettings.from_json(data)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"broken\.json"):
        SandboxSettings.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"missing\.json"):
        SandboxSettings.read(tmp_path / "missing.json")
