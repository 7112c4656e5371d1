from __future__ import annotations

import pyodbc
import pytest

from airflow_provider_elasticjobs.sandbox.faults import Fault, FaultKind
from tests.wire.sandbox.conftest import Scripted

pytestmark = pytest.mark.sandbox_only


def test_a_login_by_password(scripted: Scripted) -> None:
    assert scripted.connect("db1").execute("SELECT 1").fetchval() == 1
    assert scripted.engine.sessions[0].database == "db1"
    assert scripted.server.activity.counters().logins == 1


def test_a_login_by_access_token(scripted: Scripted) -> None:
    connection = scripted.client.connect_by_token("a-token")
    assert connection.execute("SELECT 1").fetchval() == 1
    connection.close()


def test_a_wrong_password(scripted: Scripted) -> None:
    with pytest.raises(pyodbc.InterfaceError, match=r"Login failed for user 'sa'\. \(18456\)"):
        scripted.connect(PWD="wrong")
    counters = scripted.server.activity.counters()
    assert (counters.logins, counters.refused_logins, counters.sessions) == (0, 1, 0)


@pytest.mark.parametrize("token", ["unknown", ""])
def test_an_unknown_token(scripted: Scripted, token: str) -> None:
    with pytest.raises(pyodbc.Error, match=r"18456"):
        scripted.client.connect_by_token(token or "x" * 5000)


def test_an_expired_token_leaves_open_sessions_alone(scripted: Scripted) -> None:
    connection = scripted.client.connect_by_token("a-token")
    scripted.client.expire_token("a-token")
    with pytest.raises(pyodbc.Error, match="18456"):
        scripted.client.connect_by_token("a-token")
    assert connection.execute("SELECT 1").fetchval() == 1
    connection.close()
    scripted.client.set_token("a-token", "anna")
    scripted.client.connect_by_token("a-token").close()


def test_a_long_token(scripted: Scripted) -> None:
    token = "t" * 6000
    scripted.client.set_token(token, "anna")
    scripted.client.connect_by_token(token).close()


def test_an_unknown_database(scripted: Scripted) -> None:
    with pytest.raises(pyodbc.ProgrammingError, match=r'Cannot open database "missing".*\(4060\)'):
        scripted.connect("missing")


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        (FaultKind.LOGIN_REFUSED, 18456),
        (FaultKind.DATABASE_UNAVAILABLE, 40613),
        (FaultKind.UNKNOWN_DATABASE, 4060),
        (FaultKind.FIREWALL, 40615),
    ],
)
def test_a_login_refused_by_a_fault(scripted: Scripted, kind: FaultKind, number: int) -> None:
    scripted.sandbox.faults.add(Fault(kind))
    with pytest.raises(pyodbc.Error, match=rf"\({number}\)"):
        scripted.connect("db1")
    scripted.connect("db1")


def test_a_login_dropped_by_a_fault(scripted: Scripted) -> None:
    scripted.sandbox.faults.add(Fault(FaultKind.LOGIN_DROPPED))
    with pytest.raises(pyodbc.OperationalError, match="08S01"):
        scripted.connect()


def test_a_slow_login_runs_into_the_clients_time_limit(scripted: Scripted) -> None:
    scripted.sandbox.faults.add(Fault(FaultKind.SLOW_LOGIN, seconds=30))
    with pytest.raises(pyodbc.OperationalError, match="timeout"):
        pyodbc.connect(scripted.client.connection_string(), timeout=1)
    scripted.connect()


def test_the_control_application_gets_past_every_login_fault(scripted: Scripted) -> None:
    scripted.sandbox.faults.add(Fault(FaultKind.LOGIN_REFUSED, times=None))
    scripted.client.clear_faults()
    scripted.connect()


def test_sessions_close_with_their_connections(scripted: Scripted) -> None:
    connection = scripted.client.connect()
    connection.execute("SELECT 1").fetchall()
    connection.close()
    # A new connection's answer comes after the old session was closed or not at all.
    scripted.connect()
    assert scripted.server.activity.counters().peak_sessions <= 2


@pytest.mark.parametrize("size", ["512", "4096", "16383", "32767"])
def test_packet_sizes(scripted: Scripted, size: str) -> None:
    connection = scripted.connect(PacketSize=size)
    text = "".join(chr(65 + number % 26) for number in range(40_000))
    assert connection.execute("SELECT ?", text).fetchval() == text


def test_multiple_active_result_sets_are_refused(scripted: Scripted) -> None:
    with pytest.raises(pyodbc.Error):
        scripted.connect(MARS_Connection="yes")
    assert scripted.server.activity.counters().logins == 0


def test_windows_authentication_is_refused(scripted: Scripted) -> None:
    with pytest.raises(pyodbc.Error):
        scripted.connect(Trusted_Connection="yes")
