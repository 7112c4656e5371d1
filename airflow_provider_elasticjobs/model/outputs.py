"""Where the result sets of a step's script go (reference 1.4 and 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.names import check_name

__all__ = ["ADDED_COLUMNS", "ParquetOutput", "SqlDatabaseOutput", "StepOutput", "output_from_json"]

#: Columns that an output can have beside those of the result.
ADDED_COLUMNS = ("server_name", "database_name", "job_execution_id")

_MAXIMUM_PATH = 1024


@dataclass(frozen=True, kw_only=True)
class StepOutput:
    """What every kind of output has.

    :param conn_id: Airflow connection that it is written with.
    :param result_sets: ``first`` (as Elastic Jobs), or ``all``: they must have the same columns then, and the column
        ``result_set`` tells them apart, counted from 1.
    :param add_columns: columns beside those of the result: any of ``server_name``, ``database_name`` and
        ``job_execution_id``.
    """

    output_type: ClassVar[str]

    conn_id: str | None = None
    result_sets: str = "first"
    add_columns: Sequence[str] = ()

    def __post_init__(self) -> None:
        owner = type(self).__name__
        if self.result_sets not in ("first", "all"):
            raise DefinitionError(f"{owner}: result_sets must be 'first' or 'all', not {self.result_sets!r}")
        added = tuple(self.add_columns)
        if unknown := [name for name in added if name not in ADDED_COLUMNS]:
            raise DefinitionError(f"{owner}: add_columns can be {', '.join(ADDED_COLUMNS)}, not {unknown[0]!r}")
        # In one order, so that the same output is always the same text.
        object.__setattr__(self, "add_columns", tuple(name for name in ADDED_COLUMNS if name in added))

    @property
    def takes_all(self) -> bool:
        """Whether every result set is written, not the first alone."""
        return self.result_sets == "all"

    def options(self) -> dict[str, Any]:
        """Return what Elastic Jobs has no word for, as plain JSON, without what is as by default."""
        options: dict[str, Any] = {}
        if self.takes_all:
            options["result_sets"] = self.result_sets
        if self.add_columns:
            options["add_columns"] = list(self.add_columns)
        return options

    def to_json(self) -> dict[str, Any]:
        """Return the output as plain JSON; ``output_type`` names its kind."""
        conn_id = {} if self.conn_id is None else {"conn_id": self.conn_id}
        return {"output_type": self.output_type, **conn_id, **self.options()}


@dataclass(frozen=True)
class SqlDatabaseOutput(StepOutput):
    """One table that the result of every target is appended to, in a database of any server.

    The table is made from the first result's columns, or checked if it is there. Beside them it has
    ``internal_execution_id``, by which a later attempt on the same target replaces an earlier one's rows.

    :param server_name: fully qualified name of the server.
    :param database_name: the database.
    :param table_name: the table.
    :param schema_name: its schema.
    :param conn_id: Airflow connection that the table is written with; default: the step's.
    :raises DefinitionError: if a name cannot be stored.
    """

    output_type: ClassVar[str] = "SqlDatabase"

    server_name: str
    database_name: str
    table_name: str
    schema_name: str = "dbo"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.server_name, "server_name", "SqlDatabaseOutput", 256)
        for name in ("database_name", "table_name", "schema_name"):
            check_name(getattr(self, name), name, "SqlDatabaseOutput")

    def to_json(self) -> dict[str, Any]:
        """Return the output as plain JSON, keyed as the parameters of ``jobs.sp_add_jobstep``."""
        names = ("server_name", "database_name", "table_name", "schema_name")
        return {**super().to_json(), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class ParquetOutput(StepOutput):
    """A folder of Parquet files, one for each target, on any storage that Airflow reaches; needs the extra ``parquet``.

    A file appears under its name when its target's script has succeeded, and replaces that of an earlier attempt.

    :param path: the folder, ``s3://bucket/collected/{job_execution_id}/``; ``{job_execution_id}``, ``{server_name}``
        and ``{database_name}`` stand for the target's.
    :param conn_id: Airflow connection of the storage; default: what Airflow takes for the path's scheme.
    :raises DefinitionError: if the path is not one.
    """

    output_type: ClassVar[str] = "Parquet"

    path: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.path, "path", "ParquetOutput", _MAXIMUM_PATH)

    def options(self) -> dict[str, Any]:
        """Return the path with what is common to all outputs; Elastic Jobs has no word for any of it."""
        return {"path": self.path, **super().options()}


_KINDS: dict[str, type[SqlDatabaseOutput | ParquetOutput]] = {
    kind.output_type.casefold(): kind for kind in (SqlDatabaseOutput, ParquetOutput)
}


def output_from_json(data: Mapping[str, Any]) -> SqlDatabaseOutput | ParquetOutput:
    """Rebuild an output from its ``to_json``'s form.

    :raises DefinitionError: if its kind is not known, or a field is missing or too much.
    """
    fields = dict(data)
    kind = str(fields.pop("output_type", ""))
    if kind.casefold() not in _KINDS:
        known = ", ".join(known.output_type for known in _KINDS.values())
        raise DefinitionError(f"output: output_type is {kind!r}; it must be one of {known}")
    try:
        return _KINDS[kind.casefold()](**fields)
    except TypeError as error:
        # dataclass's own message names the missing or surplus field
        raise DefinitionError(f"output ({kind}): {str(error).partition('__init__() ')[2] or error}") from error
