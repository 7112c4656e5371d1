from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.tsql.lexer import RegionKind, regions
from airflow_provider_elasticjobs.tsql.literals import literal, plain_text, quote_identifier

_ID = UUID("9f2a0000-0000-0000-0000-00000000000b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "NULL"),
        (True, "1"),
        (False, "0"),
        (-3, "-3"),
        (Decimal("1E+3"), "1000"),
        (Decimal("-0.10"), "-0.10"),
        ("it's", "N'it''s'"),
        ("", "N''"),
        (b"\x00\xff", "0x00FF"),
        (_ID, "'9F2A0000-0000-0000-0000-00000000000B'"),
        (date(2026, 2, 3), "'2026-02-03'"),
        (time(4, 5, 6), "'04:05:06'"),
        (datetime.fromisoformat("2026-02-03T04:05:06.000007"), "'2026-02-03T04:05:06.000007'"),
        (
            datetime(2026, 2, 3, 1, 0, tzinfo=timezone(timedelta(hours=2))),
            "'2026-02-02T23:00:00.000'",
        ),
    ],
)
def test_each_type_has_its_literal(value: object, expected: str) -> None:
    assert literal(value) == expected


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_keeps_its_value(value: float) -> None:
    text = literal(value)
    assert float(text) == value
    assert "e" in text  # without an exponent it would be a decimal


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), object(), [1]])
def test_a_value_without_a_literal_is_refused(value: object) -> None:
    with pytest.raises(DefinitionError, match="no T-SQL literal"):
        literal(value)


@given(st.text())
def test_a_text_literal_is_one_string_whatever_is_in_it(value: str) -> None:
    text = literal(value)
    found = list(regions(text))
    assert [region.kind for region in found] == [RegionKind.CODE, RegionKind.STRING]
    assert text[2:-1].replace("''", "'") == value


@given(st.text(min_size=1, max_size=64).filter(lambda name: "\0" not in name))
def test_a_quoted_identifier_is_one_name_whatever_is_in_it(name: str) -> None:
    text = quote_identifier(name)
    assert [region.kind for region in regions(text)] == [RegionKind.BRACKETED]
    assert text[1:-1].replace("]]", "]") == name


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 129, "\U0001f600" * 65])
def test_a_name_that_no_object_can_have_is_refused(name: str) -> None:
    with pytest.raises(DefinitionError, match="identifier"):
        quote_identifier(name)


def test_128_characters_are_a_name() -> None:
    assert len(quote_identifier("x" * 128)) == 130


def test_plain_text_has_no_quotes() -> None:
    assert plain_text("it's") == "it's"
    assert plain_text(_ID) == "9F2A0000-0000-0000-0000-00000000000B"
    assert plain_text(7) == "7"
    assert plain_text(None) == ""
    assert plain_text(b"\x01") == "0x01"
