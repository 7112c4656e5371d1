"""Clients that are no SQL Server clients: the sandbox turns them away and serves the next one."""

from __future__ import annotations

import ctypes
import logging
import socket
from collections.abc import Sequence

import pyodbc
import pytest
from pysqlbridge.tds.packet import PacketType, build_message

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, ResultSink
from tests.unit.sandbox.wire.scripted_engine import ScriptedSession
from tests.wire.sandbox.conftest import Scripted, echo

pytestmark = pytest.mark.sandbox_only


def packet(kind: PacketType, payload: bytes) -> bytes:
    return b"".join(build_message(kind, payload))


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"\x12\x01\x00\x04\x00\x00\x01\x00",
        packet(PacketType.PRELOGIN, b"\xff"),
        packet(PacketType.PRELOGIN, b"\x00\x00\x06\x00\x06\xff"),
        packet(PacketType.SQL_BATCH, b"SELECT 1"),
        b"\x12\x01",
        b"",
    ],
    ids=[
        "http",
        "broken tls",
        "short length",
        "empty prelogin",
        "prelogin past its end",
        "batch",
        "half a header",
        "none",
    ],
)
def test_junk_is_turned_away(scripted: Scripted, caplog: pytest.LogCaptureFixture, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", scripted.client.port()), timeout=10) as stranger:
        stranger.sendall(sent)
        stranger.shutdown(socket.SHUT_WR)
        while stranger.recv(4096):
            pass
    assert scripted.connect().execute("SELECT 1").fetchval() == 1
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_defect_in_the_wire_layer_closes_the_connection_and_is_logged(
    scripted: Scripted, caplog: pytest.LogCaptureFixture
) -> None:
    connection = scripted.connect()
    # A session that cannot even be asked its state is a defect that no answer can be made from.
    del scripted.engine.sessions[-1].transaction_count
    with pytest.raises(pyodbc.OperationalError, match="08S01"):
        connection.execute("SELECT 1")
    assert "The sandbox failed on a connection" in caplog.text
    assert scripted.connect().execute("SELECT 1").fetchval() == 1


def test_a_pooled_connection_asks_for_a_reset(scripted: Scripted) -> None:
    resets = []

    def count(session: ScriptedSession, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> None:
        resets.append(session.resets)
        echo(session, sql, parameters, sink)

    scripted.script(count)
    with Handle(scripted.client.connection_string()) as handle:
        handle.execute("SELECT 1")
        handle.ask_for_reset()
        handle.execute("SELECT 2")
        handle.execute("SELECT 3")
    assert resets == [0, 1, 1]


class Handle:
    """A connection through the driver manager itself: pyodbc has no way to ask for a reset."""

    ENVIRONMENT, CONNECTION, STATEMENT = 1, 2, 3
    ODBC_VERSION, ODBC_3, RESET_CONNECTION, YES = 200, 3, 116, 1

    def __init__(self, connection_string: str) -> None:
        self._text = connection_string.encode()
        self._odbc = ctypes.CDLL("libodbc.so.2")
        self._environment = self._allocate(self.ENVIRONMENT, None)
        self._odbc.SQLSetEnvAttr(self._environment, self.ODBC_VERSION, ctypes.c_void_p(self.ODBC_3), 0)
        self._connection = self._allocate(self.CONNECTION, self._environment)

    def _allocate(self, kind: int, parent: ctypes.c_void_p | None) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        assert self._odbc.SQLAllocHandle(kind, parent, ctypes.byref(handle)) == 0
        return handle

    def __enter__(self) -> Handle:  # noqa: PYI034 - Self is not in Python 3.10
        text = self._text
        assert self._odbc.SQLDriverConnect(self._connection, None, text, len(text), None, 0, None, 0) in (0, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._odbc.SQLDisconnect(self._connection)
        self._odbc.SQLFreeHandle(self.CONNECTION, self._connection)
        self._odbc.SQLFreeHandle(self.ENVIRONMENT, self._environment)

    def ask_for_reset(self) -> None:
        value = ctypes.c_void_p(self.YES)
        assert self._odbc.SQLSetConnectAttr(self._connection, self.RESET_CONNECTION, value, -5) == 0

    def execute(self, sql: str) -> None:
        statement = self._allocate(self.STATEMENT, self._connection)
        text = sql.encode()
        assert self._odbc.SQLExecDirect(statement, text, len(text)) in (0, 1)
        self._odbc.SQLFreeHandle(self.STATEMENT, statement)
