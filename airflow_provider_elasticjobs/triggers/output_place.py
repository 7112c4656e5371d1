"""The places that outputs go to, by Airflow's connections."""

from __future__ import annotations

from typing import BinaryIO, cast

from airflow.sdk import ObjectStoragePath

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput
from airflow_provider_elasticjobs.outputs.parquet import ParquetPlace
from airflow_provider_elasticjobs.outputs.sql_database import SqlDatabasePlace
from airflow_provider_elasticjobs.outputs.writer import OutputPlace
from airflow_provider_elasticjobs.triggers.defaults import DEFAULT_CONNECTION
from airflow_provider_elasticjobs.triggers.process import connection_settings

__all__ = ["ObjectStorage", "output_place"]


class ObjectStorage:
    """Files on whatever storage Airflow reaches.

    :param conn_id: Airflow connection of the storage; None for what Airflow takes for a path's scheme.
    """

    def __init__(self, conn_id: str | None) -> None:
        self._conn_id = conn_id

    def create(self, path: str) -> BinaryIO:
        """Open a new file for writing; its folders are made where the storage has such."""
        file = self._path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        return cast("BinaryIO", file.open("wb"))  # type: ignore[no-untyped-call]

    def move(self, path: str, to: str) -> None:
        """Give a file another name, in place of what has it."""
        source, target = self._path(path), self._path(to)
        target.fs.mv(source.path, target.path)

    def remove(self, path: str) -> None:
        """Remove a file; one that is not there is left so."""
        self._path(path).unlink(missing_ok=True)

    def _path(self, path: str) -> ObjectStoragePath:
        return ObjectStoragePath(path, conn_id=self._conn_id)


def output_place(output: SqlDatabaseOutput | ParquetOutput) -> OutputPlace:
    """Return the place that an output names.

    :param output: a table's connection is expected to be filled in.
    """
    if isinstance(output, ParquetOutput):
        return ParquetPlace(output, ObjectStorage(output.conn_id))
    return SqlDatabasePlace(output, connector(connection_settings(output.conn_id or DEFAULT_CONNECTION)))
