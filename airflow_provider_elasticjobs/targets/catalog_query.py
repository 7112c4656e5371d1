"""A query over a catalog: which databases its rows name, and with which parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.names import check_name
from airflow_provider_elasticjobs.model.parameters import ParameterValue, parameters_to_text, read_parameters
from airflow_provider_elasticjobs.model.targets import SqlQueryTargets, Target
from airflow_provider_elasticjobs.targets.listing import Listed
from airflow_provider_elasticjobs.targets.reading import Rows, read_rows

if TYPE_CHECKING:
    import pyodbc

__all__ = ["MOST_ROWS", "list_query", "targets_of_rows"]

#: Rows that a query over a catalog may give.
MOST_ROWS = 100_000

_NAMES = {"server_name": 256, "database_name": 128, "elastic_pool_name": 128}
_REQUIRED = ("server_name", "database_name")


def list_query(connection: pyodbc.Connection, member: SqlQueryTargets) -> list[Listed]:
    """Return the databases that a catalog's query names.

    :param connection: a connection to the catalog, with autocommit on.
    :param member: the query and its parameters.
    :raises DefinitionError: if a column is missing or cannot be a parameter, a row names no database, or two rows of
        one database differ; the message names the column and the row.
    :raises ScriptError: if the server refuses the query.
    :raises OutcomeUnknownError: if the connection broke.
    """
    found = read_rows(connection, member.query, member.parameters, most=MOST_ROWS, what="the query")
    return targets_of_rows(found)


def targets_of_rows(found: Rows) -> list[Listed]:
    """Return the databases that rows name, each once, with the values of all further columns as parameters.

    :param found: what a query gave.
    :raises DefinitionError: as :func:`list_query`.
    """
    columns = _columns(found.columns)
    targets: dict[tuple[str, str], tuple[int, Target]] = {}
    for number, row in enumerate(found.rows, start=1):
        target = _target(dict(zip(columns, row, strict=True)), f"row {number}")
        first, known = targets.setdefault(target.key, (number, target))
        if _differ(known, target):
            raise DefinitionError(
                f"rows {first} and {number} both name {target.label}, with different {_difference(known, target)}"
            )
    return [Listed(target) for _, target in targets.values()]


def _columns(given: Sequence[str]) -> list[str]:
    """Return the columns' names, those that name a database in their usual spelling."""
    columns = [name.lower() if name.lower() in _NAMES else name for name in given]
    for name in _REQUIRED:
        if name not in columns:
            raise DefinitionError(f"column {name!r} is missing; the query gives {', '.join(map(repr, given))}")
    for position, name in enumerate(columns, start=1):
        if [one.lower() for one in columns].count(name.lower()) > 1:
            raise DefinitionError(f"column {position} repeats the name {name!r}")
        if not name:
            raise DefinitionError(f"column {position} has no name: give it one with AS")
    read_parameters(dict.fromkeys(name for name in columns if name not in _NAMES), "the query's columns")
    return columns


def _target(row: Mapping[str, Any], place: str) -> Target:
    names: dict[str, str | None] = {}
    for name, most in _NAMES.items():
        value = row.get(name)
        if value is None and name not in _REQUIRED:
            names[name] = None
        else:
            # A column of type char is padded with blanks.
            names[name] = check_name(value.strip() if isinstance(value, str) else value, name, place, most)
    parameters = {name: _plain(value) for name, value in row.items() if name not in _NAMES}
    return Target(**names, parameters=_bounded(parameters, place))  # type: ignore[arg-type]  # required ones are texts


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


def _bounded(values: Mapping[str, Any], place: str) -> dict[str, ParameterValue]:
    parameters = read_parameters(values, place)
    parameters_to_text(parameters, place)
    return parameters


def _differ(one: Target, other: Target) -> bool:
    return one.parameters != other.parameters or one.elastic_pool_name != other.elastic_pool_name


def _difference(one: Target, other: Target) -> str:
    names = [name for name in one.parameters if one.parameters[name] != other.parameters[name]]
    return ", ".join(names or ["elastic_pool_name"])
