from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.authentication import ManagedIdentity, SqlLogin
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connection_string import (
    application_name_of,
    connection_string,
    escaped,
)
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError

_PAIR = re.compile(r"(\w+)=(\{(?:[^}]|\}\})*\}|[^;{]*)(?:;|\Z)")


def parsed(text: str) -> dict[str, str]:
    """Read a connection string as the driver does."""
    pairs, position = {}, 0
    while position < len(text):
        match = _PAIR.match(text, position)
        assert match is not None, text[position:]
        value = match[2]
        pairs[match[1]] = value[1:-1].replace("}}", "}") if value.startswith("{") else value
        position = match.end()
    return pairs


def test_everything_is_said_explicitly() -> None:
    settings = ConnectionSettings(SqlLogin("u", "p"), host_map={"s": Address("10.0.0.5", 1444)})
    assert parsed(connection_string(settings, "D", "S", "db", application_name="app")) == {
        "Driver": "D",
        "Server": "tcp:10.0.0.5,1444",
        "Database": "db",
        "UID": "u",
        "PWD": "p",
        "Encrypt": "yes",
        "TrustServerCertificate": "no",
        "HostNameInCertificate": "S",
        "APP": "app",
        "MARS_Connection": "no",
        "ConnectRetryCount": "0",
    }


def test_the_driver_comes_first() -> None:
    settings = ConnectionSettings(SqlLogin("u", "p"))
    assert connection_string(settings, "/a/lib.so", "s", "d").startswith("Driver={/a/lib.so};")


def test_a_token_identity_brings_no_name_and_no_password() -> None:
    text = connection_string(ConnectionSettings(ManagedIdentity(client_id="c")), "D", "s", "d")
    assert not {"UID", "PWD", "Authentication"} & parsed(text).keys()


@given(st.text().filter(lambda text: "\0" not in text), st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_no_value_can_add_or_change_a_keyword(password: str, database: str) -> None:
    settings = ConnectionSettings(SqlLogin("u", password))
    pairs = parsed(connection_string(settings, "D", "s", database))
    assert (pairs["PWD"], pairs["Database"], pairs["Encrypt"]) == (password, database, "yes")
    assert len(pairs) == 10


@pytest.mark.parametrize("password", ["a\0b", "\0"])
def test_nul_is_refused_without_showing_the_value(password: str) -> None:
    with pytest.raises(ConnectionSettingsError) as caught:
        connection_string(ConnectionSettings(SqlLogin("u", password)), "D", "s", "d")
    assert password not in str(caught.value)


def test_a_driver_with_a_brace_is_refused() -> None:
    with pytest.raises(ConnectionSettingsError, match="brace"):
        connection_string(ConnectionSettings(SqlLogin("u", "p")), "D};PWD={x", "s", "d")


def test_the_application_name_is_cut_where_the_server_cuts_it() -> None:
    settings = ConnectionSettings(SqlLogin("u", "p"))
    assert parsed(connection_string(settings, "D", "s", "d", application_name="x" * 500))["APP"] == "x" * 128
    assert len(application_name_of("y" * 500)) == 128
    assert application_name_of("id").endswith(" id")
    assert application_name_of(None) == "airflow-elasticjobs"


def test_only_constants_go_without_braces() -> None:
    assert escaped("yes") == "yes"
    assert escaped("plain") == "{plain}"
    assert escaped("a}b") == "{a}}b}"
