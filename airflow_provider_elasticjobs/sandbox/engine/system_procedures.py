# ruff: noqa: ARG001 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
"""The system procedures that the sandbox has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.functions_text import plain_text
from airflow_provider_elasticjobs.sandbox.engine.interface import Column, ResultSink, SqlType
from airflow_provider_elasticjobs.sandbox.engine.locks import MODES
from airflow_provider_elasticjobs.sandbox.engine.statements import ObjectName
from airflow_provider_elasticjobs.sandbox.engine.suggestions import SUGGESTION_COLUMNS, suggestion
from airflow_provider_elasticjobs.sandbox.engine.undeclared import undeclared_parameters

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.exec_procedures import Passed, ProcedureExecution
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

SystemProcedure = Callable[["ProcedureExecution", "EngineSession", "list[Passed]", ResultSink], int]
_NUMBER: Final = re.compile(r"-?\d+$")


def find(name: ObjectName) -> SystemProcedure | None:
    """Return a system procedure by its name, or None."""
    if name.schema.lower() not in ("", "sys", "dbo"):
        return None
    return _PROCEDURES.get(name.name.lower())


def _arguments(passed: list[Passed], names: tuple[str, ...], procedure: str) -> dict[str, Passed]:
    found: dict[str, Passed] = {}
    for position, given in enumerate(passed):
        key = given.name or (names[position] if position < len(names) else "")
        if key not in names:
            raise sql_error(8145 if given.name else 8144, *((given.name, procedure) if given.name else (procedure,)))
        found[key] = given
    return found


def _execute_sql(execution: ProcedureExecution, session: EngineSession, passed: list[Passed], sink: ResultSink) -> int:
    if not passed:
        raise sql_error(201, "sp_executesql", "@statement")
    definitions = plain_text(passed[1].value) if len(passed) > 1 and passed[1].value is not None else ""
    return execution.run_parameterized(plain_text(passed[0].value), definitions, passed[2:], sink)


def _get_app_lock(execution: ProcedureExecution, session: EngineSession, passed: list[Passed], sink: ResultSink) -> int:
    names = ("@resource", "@lockmode", "@lockowner", "@locktimeout", "@dbprincipal")
    given = _arguments(passed, names, "sp_getapplock")
    if "@resource" not in given or given["@resource"].value is None:
        raise sql_error(201, "sp_getapplock", "@Resource")
    mode = MODES.get(plain_text(given["@lockmode"].value).lower()) if "@lockmode" in given else None
    owner = plain_text(given["@lockowner"].value).title() if "@lockowner" in given else "Transaction"
    timeout = given["@locktimeout"].value if "@locktimeout" in given else session.state.options.lock_timeout
    text = plain_text(timeout)
    if mode is None or owner not in ("Session", "Transaction") or not _NUMBER.match(text):
        return -999
    if owner == "Transaction" and not session.transactions.count:
        raise SqlError(3922, "Cannot enlist in the transaction because the transaction does not exist.")
    session.waiting = "LCK_M_X"
    try:
        return session.server.locks.acquire(
            session.database_file, session, plain_text(given["@resource"].value)[:255], mode=mode, owner=owner,
            timeout=None if int(text) < 0 else int(text) / 1000,
        )  # fmt: skip
    finally:
        session.waiting = ""


def _release_app_lock(
    execution: ProcedureExecution, session: EngineSession, passed: list[Passed], sink: ResultSink
) -> int:
    given = _arguments(passed, ("@resource", "@lockowner", "@dbprincipal"), "sp_releaseapplock")
    resource = plain_text(given["@resource"].value)[:255] if "@resource" in given else ""
    owner = plain_text(given["@lockowner"].value).title() if "@lockowner" in given else "Transaction"
    if not session.server.locks.release(session.database_file, session, resource, owner):
        raise SqlError(
            1223,
            f"Cannot release the application lock (Database Principal: 'public', Resource: '{resource}') because it is not currently held.",
        )
    return 0


def _describe_undeclared(
    execution: ProcedureExecution, session: EngineSession, passed: list[Passed], sink: ResultSink
) -> int:
    text = plain_text(passed[0].value) if passed else ""
    sink.columns(SUGGESTION_COLUMNS)
    found = undeclared_parameters(session, text)
    for ordinal, (name, kind) in enumerate(found, 1):
        sink.row(suggestion(ordinal, name, kind))
    sink.done(len(found), "SELECT")
    return 0


def _set_context(execution: ProcedureExecution, session: EngineSession, passed: list[Passed], sink: ResultSink) -> int:
    given = _arguments(passed, ("@key", "@value", "@read_only"), "sp_set_session_context")
    session.state.context[plain_text(given["@key"].value).lower()] = given["@value"].value
    return 0


def _help_text(execution: ProcedureExecution, session: EngineSession, passed: list[Passed], sink: ResultSink) -> int:
    schema, _, name = plain_text(passed[0].value).replace("[", "").replace("]", "").rpartition(".")
    found = session.catalog.find(schema or "dbo", name)
    if found is None or not found.definition:
        raise SqlError(
            15009,
            f"The object '{name}' does not exist in database '{session.database}' or is invalid for this operation.",
        )
    sink.columns([Column("Text", SqlType("nvarchar", 255))])
    for line in found.definition.splitlines(keepends=True):
        sink.row([line])
    sink.done(len(found.definition.splitlines()), "SELECT")
    return 0


_PROCEDURES: Final[Mapping[str, SystemProcedure]] = {
    "sp_executesql": _execute_sql, "sp_getapplock": _get_app_lock, "sp_releaseapplock": _release_app_lock,
    "sp_describe_undeclared_parameters": _describe_undeclared, "sp_set_session_context": _set_context,
    "sp_helptext": _help_text,
}  # fmt: skip
