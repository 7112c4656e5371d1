from __future__ import annotations

import struct

import pytest

from airflow_provider_elasticjobs.sandbox import odbc


@pytest.fixture(autouse=True)
def _driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(odbc, "find_driver", lambda: "{a driver}")


def test_a_value_is_braced_whatever_it_holds() -> None:
    assert odbc.braced("a;{b}c") == "{a;{b}}c}"


def test_options_replace_the_defaults() -> None:
    text = odbc.connection_string("127.0.0.1", 1433, {"TrustServerCertificate": "no", "APP": "tests"})
    assert text == (
        "Driver={a driver};Server=tcp:127.0.0.1,1433;Encrypt=yes;TrustServerCertificate=no;"
        "ConnectRetryCount=0;APP=tests"
    )


def test_a_token_goes_behind_its_length() -> None:
    (raw,) = odbc.token_attribute("tök").values()
    assert struct.unpack("<I", raw[:4]) == (6,)
    assert raw[4:].decode("utf-16-le") == "tök"
