"""Results as Parquet files, one for each target, written under a temporary name and shown when the script succeeded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from airflow_provider_elasticjobs.exceptions import DefinitionError, OutputError
from airflow_provider_elasticjobs.model.outputs import ParquetOutput
from airflow_provider_elasticjobs.outputs.writer import OutputRun, ResultSets
from airflow_provider_elasticjobs.tsql.columns import ResultColumn, SqlType
from airflow_provider_elasticjobs.tsql.row_block import RowBlock
from airflow_provider_elasticjobs.tsql.values import decoder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FileStorage", "ParquetPlace", "ParquetWriter"]

#: Bytes of Arrow data that make a row group, which is written as a whole.
_GROUP_BYTES = 16 * 2**20
#: Arrow's names of types that have no parameters.
_PLAIN = {
    "bit": "bool_",
    "tinyint": "uint8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "real": "float32",
    "float": "float64",
    "date": "date32",
    "uniqueidentifier": "string",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class FileStorage(Protocol):
    """Files by their paths."""

    def create(self, path: str) -> BinaryIO:
        """Open a new file for writing."""

    def move(self, path: str, to: str) -> None:
        """Give a file another name, in place of what has it."""

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is left so."""


class ParquetPlace:
    """A folder of Parquet files.

    :param output: the output.
    :param storage: where its path leads to.
    """

    def __init__(self, output: ParquetOutput, storage: FileStorage) -> None:
        self._output = output
        self._storage = storage

    def open(self, run: OutputRun) -> ParquetWriter:
        """Return a writer for one attempt; nothing is created yet.

        :raises DefinitionError: if ``pyarrow`` is not installed.
        """
        return ParquetWriter(self._output, run, self._storage)


class ParquetWriter:
    """Writes the rows of one attempt into a file of their own.

    :param output: the output.
    :param run: the attempt.
    :param storage: where the output's path leads to.
    :raises DefinitionError: if ``pyarrow`` is not installed.
    """

    def __init__(self, output: ParquetOutput, run: OutputRun, storage: FileStorage) -> None:
        self._arrow = _pyarrow()
        self._takes_all, self._storage = output.takes_all, storage
        self._results = ResultSets(output)
        self._added = {name: str(value) for name, value in run.added_values().items()}
        folder = output.path.rstrip("/")
        for name, value in self._added.items():
            folder = folder.replace(f"{{{name}}}", _UNSAFE.sub("_", value))
        name = f"{_UNSAFE.sub('_', run.target.database_name)}-{run.internal_execution_id}.parquet"
        self._path = f"{folder}/{name}"
        # Readers of a folder pass over names that begin so.
        self._temporary_path = f"{folder}/_{name}.inprogress"
        self._file: BinaryIO | None = None
        self._writer: Any = None
        self._group: list[pa.RecordBatch] = []
        self._rows = 0

    def begin(self, columns: Sequence[ResultColumn]) -> bool:
        """Make ready for a result set; return whether its rows are wanted.

        :raises OutputError: if its columns cannot be written, or the file cannot be created.
        """
        with self._said():
            if not self._results.begin(columns):
                return False
            if self._results.number == 1:
                self._file = self._storage.create(self._temporary_path)
                self._writer = self._arrow.parquet.ParquetWriter(self._file, self._schema())
        return True

    def take(self, block: RowBlock) -> None:
        """Write some rows.

        :raises OutputError: if the storage does not take them, or a value does not fit its type.
        """
        with self._said():
            self._group.append(self._batch(block))
            if sum(batch.nbytes for batch in self._group) >= _GROUP_BYTES:
                self._write_group()
        self._rows += block.rows

    def commit(self) -> int:
        """Complete the file and give it its name; return how many rows it holds.

        :raises OutputError: if there was no result set, or the storage refuses.
        """
        with self._said():
            self._results.refuse_none()
            self._write_group()
            self._writer.close()
            if self._file is not None:
                self._file.close()
            self._storage.move(self._temporary_path, self._path)
        self._file = None
        return self._rows

    def close(self) -> None:
        """Remove what was not committed."""
        if self._file is None:
            return
        for undo in (self._writer.close, self._file.close, lambda: self._storage.remove(self._temporary_path)):
            with suppress(Exception):
                undo()
        self._file = None

    def _schema(self) -> pa.Schema:
        columns = [*self._results.columns, *self._results.added]
        return self._arrow.schema([(column.name, _arrow_type(self._arrow, column.sql_type)) for column in columns])

    def _batch(self, block: RowBlock) -> pa.RecordBatch:
        decoders = [decoder(column.sql_type) for column in self._results.columns]
        rows = [block.get(row) for row in range(block.rows)]
        values: list[list[object]] = [
            [None if value is None else decode(value) for value in column]
            for decode, column in zip(decoders, zip(*rows, strict=True), strict=True)
        ]
        constants: dict[str, object] = {**self._added, "result_set": self._results.number}
        values += [[constants[column.name]] * block.rows for column in self._results.added]
        schema = self._schema()
        arrays = [self._arrow.array(column, type=field.type) for column, field in zip(values, schema, strict=True)]
        return self._arrow.record_batch(arrays, schema=schema)

    def _write_group(self) -> None:
        if self._group:
            self._writer.write_table(self._arrow.Table.from_batches(self._group))
            self._group = []

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Make every error say which file it is about; each storage has errors of its own."""
        try:
            yield
        except Exception as error:
            raise OutputError(f"output {self._path}: {error}") from error


def _pyarrow() -> Any:
    try:
        import_module("pyarrow.parquet")
    except ImportError as error:
        raise DefinitionError(
            "ParquetOutput needs pyarrow: pip install 'airflow-provider-elasticjobs[parquet]'"
        ) from error
    return import_module("pyarrow")


def _arrow_type(arrow: Any, sql_type: SqlType) -> pa.DataType:
    """Return the Arrow type that holds a type's values; moments to the microsecond, since nanoseconds end in 2262."""
    name = sql_type.name
    if name in _PLAIN:
        return getattr(arrow, _PLAIN[name])()
    if name in ("decimal", "money", "smallmoney"):
        precision, scale = {"money": (19, 4), "smallmoney": (10, 4)}.get(name, (sql_type.precision, sql_type.scale))
        return arrow.decimal128(precision, scale)
    if name == "time":
        return arrow.time64("ns")
    if name.startswith(("date", "smalldate")):
        return arrow.timestamp("us", tz="UTC" if name == "datetimeoffset" else None)
    return arrow.string() if sql_type.is_text else arrow.binary()
