"""Every type's values come out of the output's table as they went into the script's result."""

from __future__ import annotations

import pytest

from tests.wire.conftest import LIVE_SERVER
from tests.wire.outputs.conftest import Collected

#: What a column is declared as, a value in T-SQL, and what the value is as text in the output's table.
VALUES = [
    ("bit", "1", "1"),
    ("tinyint", "255", "255"),
    ("smallint", "-32768", "-32768"),
    ("int", "-2147483648", "-2147483648"),
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("decimal(15, 4)", "12345678901.2345", "12345678901.2345"),
    ("decimal(5, 0)", "-99999", "-99999"),
    ("real", "1.5", "1.5"),
    ("float", "0.25", "0.25"),
    ("date", "'0001-01-01'", "0001-01-01"),
    ("date", "'9999-12-31'", "9999-12-31"),
    ("datetime2(0)", "'2026-02-28T23:59:59'", "2026-02-28 23:59:59"),
    ("datetime2(3)", "'2026-02-28T23:59:59.123'", "2026-02-28 23:59:59.123"),
    ("datetimeoffset(3)", "'2026-02-28 23:59:59.123 -10:30'", "2026-02-28 23:59:59.123 -10:30"),
    ("time(0)", "'23:59:59'", "23:59:59"),
    ("time(6)", "'23:59:59.999999'", "23:59:59.999999"),
    ("char(5)", "'ab'", "ab   "),
    ("varchar(20)", "'caf' + CHAR(233)", "caf\u00e9"),
    ("varchar(max)", "REPLICATE(CAST('y' AS varchar(max)), 9000)", "y" * 9000),
    ("nchar(4)", "N'\u00fc'", "\u00fc   "),
    ("nvarchar(20)", "N'\u65e5\u672c \U0001f600'", "\u65e5\u672c \U0001f600"),
    ("nvarchar(20)", "N''", ""),
    ("nvarchar(20)", "N' two  '", " two  "),
    ("nvarchar(max)", "REPLICATE(CAST(N'\U0001f600' AS nvarchar(max)), 40000)", "\U0001f600" * 40000),
    ("uniqueidentifier", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6F9619FF-8B86-D011-B42D-00C04FC964FF"),
]
#: Bytes are compared as bytes: engines write them as text each in their own way.
BINARIES = [
    ("binary(4)", "0x01020304", b"\x01\x02\x03\x04"),
    ("varbinary(10)", "0x00FF00", b"\x00\xff\x00"),
    ("varbinary(10)", "CAST('' AS varbinary(10))", b""),
    ("varbinary(max)", "0x" + "7A" * 9000, b"z" * 9000),
]
#: What the sandbox, which keeps decimals as binary numbers and knows no money, xml or 300ths of a second, is not asked.
ENGINES_ONLY = [
    ("decimal(38, 10)", "'1234567890123456789012345678.0123456789'", "1234567890123456789012345678.0123456789"),
    ("numeric(38, 38)", "'-0.12345678901234567890123456789012345678'", "-0.12345678901234567890123456789012345678"),
    ("money", "'922337203685477.5807'", "922337203685477.5807"),
    ("smallmoney", "-214748.3648", "-214748.3648"),
    ("datetime", "'2026-02-28T23:59:59.997'", "2026-02-28 23:59:59.997"),
    ("smalldatetime", "'2026-02-28T23:58:00'", "2026-02-28 23:58:00"),
    ("xml", "N'<a b=\"1\">\u00fc</a>'", '<a b="1">\u00fc</a>'),
]
#: Types of seven digits; the sandbox keeps six of them, and Babelfish has no more than six.
HUNDRED_NANOSECONDS = [
    ("datetime2(7)", "'9999-12-31T23:59:59.999999'", "9999-12-31 23:59:59.9999990"),
    ("datetime2(7)", "'0001-01-01T00:00:00.000001'", "0001-01-01 00:00:00.0000010"),
    ("datetimeoffset(7)", "'2026-02-28 23:59:59.123456 +14:00'", "2026-02-28 23:59:59.1234560 +14:00"),
    ("time(7)", "'23:59:59.999999'", "23:59:59.9999990"),
]
AS_TEXT = {
    "xml": "nvarchar(max)",
    "datetime": "datetime2(3)",
    "smalldatetime": "datetime2(0)",
    "money": "decimal(19, 4)",
}
AS_TEXT["smallmoney"] = AS_TEXT["money"]


def text_of(column: str, declared: str) -> str:
    between = AS_TEXT.get(declared)
    value = f"CAST({column} AS {between})" if between else column
    return f"CAST({value} AS nvarchar(max))"


def check(collected: Collected, cases: list[tuple[str, str, str]]) -> None:
    """Send all values as one row, between two rows of NULLs."""
    select = ", ".join(f"CAST({value} AS {kind}) AS c{n}" for n, (kind, value, _) in enumerate(cases))
    nothing = ", ".join(f"CAST(NULL AS {kind})" for kind, _, _ in cases)
    script = f"SELECT 1 AS n, {nothing} UNION ALL SELECT 2, {select} UNION ALL SELECT 3, {nothing}"
    names = ["n", *(f"c{n}" for n in range(len(cases)))]
    collected.write(f"SELECT * FROM ({script}) AS s ({', '.join(names)})")
    texts = ", ".join(text_of(f"c{n}", kind) for n, (kind, _, _) in enumerate(cases))
    first, row, last = collected.rows(f"n, {texts}", order="n")
    assert [*zip([kind for kind, _, _ in cases], row[1:], strict=True)] == [(kind, text) for kind, _, text in cases]
    assert set(first[1:]) == set(last[1:]) == {None}


def test_values_without_a_long_column(collected: Collected) -> None:
    check(collected, [case for case in VALUES if "max" not in case[0]])


def test_values_beside_a_long_column(collected: Collected) -> None:
    check(collected, VALUES)


@pytest.mark.skipif(not LIVE_SERVER, reason="the sandbox keeps decimals as binary numbers, and knows no xml")
def test_values_that_only_an_engine_keeps_exactly(collected: Collected) -> None:
    check(collected, ENGINES_ONLY)


@pytest.mark.sandbox_only  # Babelfish has six digits of a second
@pytest.mark.parametrize("beside", [[], [("nvarchar(max)", "N'a'", "a")]], ids=["bound", "beside a long column"])
def test_hundred_nanoseconds(collected: Collected, beside: list[tuple[str, str, str]]) -> None:
    check(collected, HUNDRED_NANOSECONDS + beside)


def test_bytes(collected: Collected) -> None:
    select = ", ".join(f"CAST({value} AS {kind}) AS c{n}" for n, (kind, value, _) in enumerate(BINARIES))
    collected.write(f"SELECT {select}")
    (row,) = collected.rows(", ".join(f"c{n}" for n in range(len(BINARIES))))
    assert row == tuple(value for _, _, value in BINARIES)
