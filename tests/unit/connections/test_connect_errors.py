from __future__ import annotations

import pickle

import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.connect_errors import connect_error
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import (
    DatabaseNotFoundError,
    DriverNotFoundError,
    ElasticJobsError,
    FirewallError,
    LoginFailedError,
    ServerUnreachableError,
    TargetConnectionError,
)

_D = "[Microsoft][ODBC Driver 18 for SQL Server]"
_S = _D + "[SQL Server]"
_SETTINGS = ConnectionSettings(SqlLogin("someone", "hidden"))


def error_for(*records: str, settings: ConnectionSettings = _SETTINGS, driver: str = "D") -> ElasticJobsError:
    error = Exception(records[0][1:6], "; ".join(records))
    return connect_error(error, settings, "s.example", "db1", driver)


@pytest.mark.parametrize(
    ("records", "kind", "number"),
    [
        ([f"[28000] {_S}Login failed. (18456) (SQLDriverConnect)"], LoginFailedError, 18456),
        (
            [
                f"[42000] {_S}Cannot open database. (4060) (SQLDriverConnect)",
                f"[28000] {_S}Login failed. (18456)",
            ],
            DatabaseNotFoundError,
            4060,
        ),
        (
            [
                f"[28000] {_S}Login failed. (18456) (SQLDriverConnect)",
                f"[42000] {_S}Cannot open database. (4060)",
            ],
            DatabaseNotFoundError,
            4060,
        ),
        ([f"[42000] {_S}Client with IP address is not allowed. (40615) (SQLDriverConnect)"], FirewallError, 40615),
        ([f"[42000] {_S}Not currently available. (40613) (SQLDriverConnect)"], TargetConnectionError, 40613),
        ([f"[42000] {_S}Something new. (4711) (SQLDriverConnect)"], TargetConnectionError, 4711),
        ([f"[HYT00] {_D}Login timeout expired (0) (SQLDriverConnect)"], ServerUnreachableError, None),
        ([f"[08001] {_D}TCP Provider: Error code 0x2746 (10054) (SQLDriverConnect)"], ServerUnreachableError, None),
        (
            [
                f"[08001] {_D}SSL Provider: [error:0A000086: certificate verify failed] (-1) (SQLDriverConnect)",
                f"[08001] {_D}Client unable to establish connection. (-1)",
            ],
            TargetConnectionError,
            None,
        ),
    ],
)
def test_each_refusal_has_its_error_and_keeps_the_engines_number(
    records: list[str], kind: type[ElasticJobsError], number: int | None
) -> None:
    error = error_for(*records)
    assert type(error) is kind
    assert error.number == number
    assert (error.server, error.database) == ("s.example", "db1")
    assert str(error).startswith("cannot connect to s.example/db1 as login 'someone': ")


def test_tls_says_how_to_trust() -> None:
    error = error_for(f"[08001] {_D}SSL Provider: certificate verify failed (-1) (SQLDriverConnect)")
    for word in ("server_certificate", "hostname_in_certificate", "trust_server_certificate"):
        assert word in str(error)


def test_a_mapped_address_is_named() -> None:
    settings = ConnectionSettings(SqlLogin("u", "hidden"), host_map={"s.example": Address("10.0.0.5", 1444)})
    error = error_for(f"[HYT00] {_D}Login timeout expired (0) (SQLDriverConnect)", settings=settings)
    assert "s.example/db1 (at tcp:10.0.0.5,1444)" in str(error)


@pytest.mark.parametrize(
    "record",
    [
        "[01000] [unixODBC][Driver Manager]Can't open lib 'D' : file not found (0) (SQLDriverConnect)",
        "[IM002] [Microsoft][ODBC Driver Manager] Data source name not found (0) (SQLDriverConnect)",
    ],
)
def test_a_driver_that_cannot_be_loaded_says_what_to_install(record: str) -> None:
    error = error_for(record)
    assert isinstance(error, DriverNotFoundError)
    assert "mssql-python-odbc" in str(error)


def test_a_repeated_answer_is_told_once() -> None:
    record = f"[28000] {_S}Login failed. (18456) (SQLDriverConnect)"
    assert str(error_for(record, record)).count("Login failed.") == 1


def test_errors_survive_pickling_and_hold_no_secret() -> None:
    error = error_for(f"[28000] {_S}Login failed. (18456) (SQLDriverConnect)")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(again), again.number, again.server) == (str(error), 18456, "s.example")
    assert b"hidden" not in pickle.dumps(error)
