"""Results as Parquet files: written aside, shown at the end, one for each target."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.exceptions import OutputError, ScriptError
from airflow_provider_elasticjobs.model.outputs import ParquetOutput
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.outputs.parquet import ParquetPlace
from airflow_provider_elasticjobs.outputs.writer import OutputRun
from airflow_provider_elasticjobs.triggers.output_place import ObjectStorage
from airflow_provider_elasticjobs.tsql.batches import split_batches
from airflow_provider_elasticjobs.tsql.run import ScriptRun
from tests.wire.conftest import LIVE_SERVER, LiveServer

parquet = pytest.importorskip("pyarrow.parquet")
UTC = dt.timezone.utc


@dataclass
class Folder:
    """A folder on this machine's disk, reached as Airflow reaches any storage."""

    server: LiveServer
    database: str
    root: Path
    job_execution_id: UUID = field(default_factory=uuid4)

    @property
    def path(self) -> Path:
        return self.root / str(self.job_execution_id)

    def write(self, script: str, *, execution_id: UUID | None = None, **options: Any) -> int:
        run = OutputRun(
            execution_id or uuid4(),
            self.job_execution_id,
            Target(self.server.name, self.database),
            lambda _: nullcontext(),
        )
        output = ParquetOutput(f"file://{self.root}/{{job_execution_id}}/", **options)
        place = ParquetPlace(output, ObjectStorage(None))
        with closing(self.server.connect(self.database)) as connection, closing(place.open(run)) as writer:
            ScriptRun(connection, split_batches(script), receiver=writer).run()
            return writer.commit()

    def files(self) -> list[str]:
        return sorted(file.name for file in self.path.iterdir()) if self.path.exists() else []

    def table(self) -> Any:
        return parquet.read_table(self.path)


@pytest.fixture(scope="module")
def database(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def folder(server: LiveServer, database: str, tmp_path: Path) -> Folder:
    return Folder(server, database, tmp_path)


def test_values_and_types(folder: Folder) -> None:
    folder.write(
        "SELECT CAST(1 AS bit) AS bit, CAST(255 AS tinyint) AS tiny, CAST(-1 AS smallint) AS small, -2 AS int, "
        "CAST(-3 AS bigint) AS big, CAST(-1.25 AS decimal(9, 2)) AS dec, CAST(0.5 AS float) AS flo, "
        "CAST('2026-02-28' AS date) AS date, CAST('2026-02-28T23:59:59.123456' AS datetime2(6)) AS moment, "
        "CAST('9999-12-31T23:59:59' AS datetime2(0)) AS far, CAST('23:59:59.123456' AS time(6)) AS time, "
        "CAST('2026-02-28 23:30:00 -01:30' AS datetimeoffset(0)) AS offset, "
        "CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS id, "
        "CAST(N'\u00fc\U0001f600' AS nvarchar(9)) AS text, CAST(0x00FF AS varbinary(4)) AS bytes, "
        "CAST(NULL AS int) AS nothing"
    )
    table = folder.table()
    assert table.to_pylist() == [
        {
            "bit": True,
            "tiny": 255,
            "small": -1,
            "int": -2,
            "big": -3,
            "dec": Decimal("-1.25"),
            "flo": 0.5,
            "date": dt.date(2026, 2, 28),
            "moment": dt.datetime(2026, 2, 28, 23, 59, 59, 123456),  # noqa: DTZ001 the server's have no zone
            "far": dt.datetime(9999, 12, 31, 23, 59, 59),  # noqa: DTZ001 as above
            "time": dt.time(23, 59, 59, 123456),
            "offset": dt.datetime(2026, 3, 1, 1, 0, tzinfo=UTC),
            "id": "6F9619FF-8B86-D011-B42D-00C04FC964FF",
            "text": "\u00fc\U0001f600",
            "bytes": b"\x00\xff",
            "nothing": None,
        }
    ]
    types = [str(one.type) for one in table.schema]
    assert types[:6] == [
        "bool",
        "uint8",
        "int16",
        "int32",
        "int64",
        "decimal128(9, 2)",
    ]


@pytest.mark.skipif(not LIVE_SERVER, reason="the sandbox keeps decimals as binary numbers, and knows no money")
def test_values_that_only_an_engine_keeps_exactly(folder: Folder) -> None:
    digits = "1234567890123456789012345678.0123456789"
    folder.write(f"SELECT CAST('{digits}' AS decimal(38, 10)) AS d, CAST('922337203685477.5807' AS money) AS m")
    assert folder.table().to_pylist() == [{"d": Decimal(digits), "m": Decimal("922337203685477.5807")}]


def test_each_target_has_a_file_and_a_later_attempt_replaces_it(folder: Folder) -> None:
    mine, others = uuid4(), uuid4()
    folder.write("SELECT 1 AS a", execution_id=mine)
    folder.write("SELECT 9 AS a", execution_id=others)
    folder.write("SELECT 2 AS a", execution_id=mine)
    assert folder.files() == sorted(f"{folder.database}-{one}.parquet" for one in (mine, others))
    assert sorted(folder.table()["a"].to_pylist()) == [2, 9]


def test_all_results_and_where_they_are_from(folder: Folder) -> None:
    names = ["server_name", "database_name", "job_execution_id"]
    assert folder.write("SELECT 1 AS a; SELECT 2 AS a", result_sets="all", add_columns=names) == 2
    place = {
        "server_name": folder.server.name,
        "database_name": folder.database,
        "job_execution_id": str(folder.job_execution_id),
    }
    assert folder.table().to_pylist() == [{"a": n, **place, "result_set": n} for n in (1, 2)]


def test_a_result_without_rows_is_a_file_with_its_columns(folder: Folder) -> None:
    assert folder.write("SELECT 1 AS a WHERE 1 = 0") == 0
    assert folder.table().schema.names == ["a"]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("SELECT 1 AS a; SELECT 1/0 AS b", ScriptError),
        ("PRINT 'nothing'", OutputError),
        ("SELECT 1 AS a, 2 AS a", OutputError),
    ],
)
def test_what_fails_leaves_no_file(folder: Folder, script: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        folder.write(script)
    assert folder.files() == []


def test_a_storage_that_refuses_is_told(folder: Folder) -> None:
    folder.root.joinpath(str(folder.job_execution_id)).write_text("in the way of the folder")
    with pytest.raises(OutputError, match=r"output file:///.*\.parquet: "):
        folder.write("SELECT 1 AS a")


def test_rows_of_many_blocks(folder: Folder) -> None:
    ten = "(VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))"
    source = " CROSS JOIN ".join(f"{ten} AS {name} (n)" for name in "abcd")
    wide = "CAST(N'x' AS nvarchar(400)) AS b"
    assert folder.write(f"SELECT a.n + 10 * b.n + 100 * c.n + 1000 * d.n AS a, {wide} FROM {source}") == 10_000
    assert sorted(folder.table()["a"].to_pylist()) == list(range(10_000))
