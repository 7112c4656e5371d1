from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, SqlType
from airflow_provider_elasticjobs.sandbox.wire.response import Response
from airflow_provider_elasticjobs.sandbox.wire.type_catalog import describe_types
from tests.unit.sandbox.wire.token_stream import Columns, Row, read_tokens


def rows(asked: int | None) -> list[dict[str, object]]:
    response = Response("srv", lambda *_: None)
    describe_types([] if asked is None else [Parameter("", SqlType("smallint"), asked)], response)
    columns, *rest = read_tokens(response.finish())
    assert isinstance(columns, Columns)
    return [dict(zip(columns.names, row.values, strict=True)) for row in rest if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("asked", "name", "size"), [(12, "varchar", 8000), (-9, "nvarchar", 4000), (-3, "varbinary", 8000)]
)
def test_one_type(asked: int, name: str, size: int) -> None:
    (row,) = rows(asked)
    assert (row["TYPE_NAME"], row["DATA_TYPE"], row["PRECISION"]) == (name, asked, size)


def test_datetime2_has_seven_digits_and_comes_first_of_its_kind() -> None:
    first = rows(93)[0]
    assert (first["TYPE_NAME"], first["MAXIMUM_SCALE"], first["PRECISION"]) == ("datetime2", 7, 27)


@pytest.mark.parametrize("everything", [None, 0])
def test_all_types(everything: int | None) -> None:
    names = [row["TYPE_NAME"] for row in rows(everything)]
    assert len(names) == len(set(names)) > 20


def test_an_unknown_type_gives_no_row() -> None:
    assert rows(999) == []
