from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.parameters import (
    ParameterValue,
    merged_parameters,
    parameters_from_text,
    parameters_to_json,
    parameters_to_text,
    read_parameters,
)

_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(max_size=50),
    st.decimals(-(10**18), 10**18, places=6, allow_nan=False, allow_infinity=False),
    st.uuids(),
    st.dates(),
    st.datetimes(),
    st.times(),
)
_names = st.from_regex(r"p_[A-Za-z0-9_]{0,20}", fullmatch=True).map(str.lower)


@given(st.dictionaries(_names, _values, max_size=5))
def test_every_type_survives_json(values: dict[str, ParameterValue]) -> None:
    again = read_parameters(json.loads(json.dumps(parameters_to_json(values))), "it")
    assert again == values
    assert [type(value) for value in again.values()] == [type(value) for value in values.values()]
    assert parameters_from_text(parameters_to_text(values, "it")) == values


def test_a_time_with_a_zone_becomes_the_same_moment_in_utc() -> None:
    moment = datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    (again,) = read_parameters(parameters_to_json({"m": moment}), "it").values()
    assert again == moment
    assert isinstance(again, datetime)
    assert again.utcoffset() == timedelta(0)


def test_none_is_stored_as_nothing() -> None:
    assert parameters_to_text({}, "it") == ""
    assert parameters_from_text(None) == parameters_from_text("") == read_parameters(None, "it") == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([("a", 1)], "it: parameters must be a mapping .* not list"),
        ({"1a": 1}, "it: '1a' is no name for a parameter"),
        ({"a b": 1}, "'a b' is no name"),
        ({"a": 1, "x)": 2}, r"'x\)' is no name"),
        ({"a" * 128: 1}, "is no name"),
        ({1: 1}, "1 is no name"),
        ({"Job_ID": 1}, "'Job_ID' is a built-in variable"),
        ({"a": 1, "A": 2}, "two parameters are called 'A'"),
        ({"a": object()}, "parameter 'a' is of type object; it must be text"),
        ({"a": [1]}, "is of type list"),
        ({"a": float("nan")}, "is not a finite number"),
        ({"a": Decimal("inf")}, "is not a finite number"),
        ({"a": 10**38}, "too many digits"),
        ({"a": Decimal("1E+38")}, "too many digits"),
        ({"a": Decimal("1E-39")}, "too many digits"),
        ({"a": time(1, tzinfo=timezone.utc)}, "a time with a zone"),
        ({"a": {"type": "money", "value": "1"}}, "an object needs a 'type'"),
        ({"a": {"type": "decimal", "value": 1}}, "an object needs a 'type'"),
        ({"a": {"type": "decimal", "value": "secret"}}, "its value is no decimal"),
        ({"a": {"type": "bytes", "value": "?"}}, "its value is no bytes"),
        ({"a": {"type": "uuid", "value": "secret"}}, "its value is no uuid"),
    ],
)
def test_what_cannot_be_a_parameter_is_named_and_never_told(given: Any, words: str) -> None:
    with pytest.raises(DefinitionError, match=words) as caught:
        read_parameters(given, "it")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_one_target_takes_a_bounded_amount() -> None:
    with pytest.raises(DefinitionError, match="row 3: the parameters have 70009 characters; at most 65536"):
        parameters_to_text({"a": "x" * 70_000}, "row 3")


@pytest.mark.parametrize(
    ("sources", "merged"),
    [
        ((), {}),
        (({"a": 1, "b": 2}, {"b": 3}), {"a": 1, "b": 3}),
        (({"Name": 1}, {"NAME": None}), {"NAME": None}),
    ],
)
def test_the_later_source_counts(sources: tuple[Mapping[str, Any], ...], merged: dict[str, Any]) -> None:
    assert merged_parameters(*sources) == merged


def test_an_author_may_write_values_or_their_json() -> None:
    written = {"price": {"type": "decimal", "value": "1.50"}, "day": date(2026, 1, 2), "id": UUID(int=1)}
    assert read_parameters(written, "it") == {"price": Decimal("1.50"), "day": date(2026, 1, 2), "id": UUID(int=1)}
