from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.tsql.diagnostics import (
    Diagnostic,
    first_number,
    joined_text,
    parse_odbc_error,
    strip_prefixes,
)

_D = "[Microsoft][ODBC Driver 18 for SQL Server]"
_S = _D + "[SQL Server]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_S + "[dbo].[t] is gone", ("[dbo].[t] is gone", True)),
        (_D + "Communication link failure", ("Communication link failure", False)),
        (_D + "TCP Provider: Error code 0x68", ("TCP Provider: Error code 0x68", False)),
        ("[unixODBC][Driver Manager]Can't open lib", ("Can't open lib", False)),
        ("[Microsoft][ODBC Driver Manager] Data source name not found", ("Data source name not found", False)),
        ("[unixODBC]" + _S + "x", ("x", True)),
        ("plain", ("plain", False)),
    ],
)
def test_prefixes_are_stripped_and_tell_the_origin(text: str, expected: tuple[str, bool]) -> None:
    assert strip_prefixes(text) == expected


def test_several_records_of_a_pyodbc_error_are_taken_apart_in_order() -> None:
    error = Exception(
        "42000",
        f'[42000] {_S}Cannot open database "x"; [it] (is) gone. (4060) (SQLDriverConnect);'
        f" [28000] {_S}Login failed for user 'u'. (18456)",
    )
    assert parse_odbc_error(error) == [
        Diagnostic(4060, 'Cannot open database "x"; [it] (is) gone.', "42000"),
        Diagnostic(18456, "Login failed for user 'u'.", "28000"),
    ]


def test_a_transport_number_is_not_the_engines() -> None:
    records = parse_odbc_error(Exception("08S01", f"[08S01] {_D}Communication link failure (104) (SQLExecDirectW)"))
    assert [(record.number, record.from_server) for record in records] == [(104, False)]
    assert first_number(records) is None


@pytest.mark.parametrize("error", [ValueError("odd"), Exception(), Exception("HY000", "no prefix")])
def test_anything_else_is_one_record_of_no_server(error: Exception) -> None:
    (record,) = parse_odbc_error(error)
    assert not record.from_server
    assert record.number == 0


@pytest.mark.parametrize(
    ("severity", "sqlstate", "is_error"),
    [(0, "01000", False), (10, "01000", False), (11, "42S02", True), (None, "01000", False), (None, "HY008", True)],
)
def test_severity_decides_and_without_one_the_sqlstate(severity: int | None, sqlstate: str, is_error: bool) -> None:
    assert Diagnostic(1, "x", sqlstate, severity=severity).is_error is is_error


def test_the_first_number_skips_information_and_errors_without_number() -> None:
    records = [
        Diagnostic(5701, "changed", "01000", severity=10),
        Diagnostic(0, "A severe error occurred", "HY000", severity=11),
        Diagnostic(208, "Invalid object", "42S02", severity=16),
        Diagnostic(8134, "Divide by zero", "22012", severity=16),
    ]
    assert first_number(records) == 208
    assert first_number([]) is None


def test_all_errors_are_told_with_what_is_known_of_each() -> None:
    records = [
        Diagnostic(208, "Invalid object name 'x'.", "42S02", severity=16, line=3),
        Diagnostic(8180, "Not prepared.", "42000"),
        Diagnostic(104, "Communication link failure", "08S01", from_server=False),
    ]
    assert joined_text(records) == (
        "Msg 208, Level 16, Line 3: Invalid object name 'x'.\nMsg 8180: Not prepared.\nCommunication link failure"
    )
