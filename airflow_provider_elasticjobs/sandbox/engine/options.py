"""SET options: those that matter here, those that are accepted, the rest refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error, unsupported
from airflow_provider_elasticjobs.sandbox.engine.session_state import Options
from airflow_provider_elasticjobs.sandbox.engine.statements import Block, SetOption, Statement

_ACCEPTED: Final = frozenset(
    [
        "ANSI_NULLS",
        "ANSI_PADDING",
        "ANSI_WARNINGS",
        "ANSI_NULL_DFLT_ON",
        "ANSI_NULL_DFLT_OFF",
        "ANSI_DEFAULTS",
        "ARITHABORT",
        "CONCAT_NULL_YIELDS_NULL",
        "QUOTED_IDENTIFIER",
        "NUMERIC_ROUNDABORT",
        "CURSOR_CLOSE_ON_COMMIT",
        "TEXTSIZE",
        "LANGUAGE",
        "DATEFORMAT",
        "DATEFIRST",
        "DEADLOCK_PRIORITY",
        "ARITHIGNORE",
        "CONTEXT_INFO",
        "NO_BROWSETABLE",
        "FORCEPLAN",
        "REMOTE_PROC_TRANSACTIONS",
        "PARSEONLY",  # heeded when the batch was parsed
    ]
)


def set_option(options: Options, name: str, value: str) -> None:
    """Apply ``SET name value``.

    :raises SqlError: 195 for an unknown option, 40510 for one the sandbox does not have
    """
    on = value.upper() == "ON"
    upper = name.upper()
    if upper == "NOCOUNT":
        options.nocount = on
    elif upper == "XACT_ABORT":
        options.xact_abort = on
    elif upper == "IMPLICIT_TRANSACTIONS":
        options.implicit_transactions = on
    elif upper == "LOCK_TIMEOUT":
        options.lock_timeout = int(value) if value.lstrip("-").isdigit() else -1
    elif upper.startswith("IDENTITY_INSERT "):
        options.identity_insert = name.split(" ", 1)[1].lower() if on else ""
    elif upper.startswith("TRANSACTION "):
        options.isolation = value.upper()
    elif upper == "ROWCOUNT":
        _refuse_unless(value == "0", "SET ROWCOUNT")
    elif upper in ("NOEXEC", "FMTONLY", "SHOWPLAN_ALL", "SHOWPLAN_TEXT", "SHOWPLAN_XML"):
        _refuse_unless(not on, f"SET {upper}")
    elif upper not in _ACCEPTED and not upper.startswith("STATISTICS "):
        raise sql_error(156, "SET") if not upper else unsupported(f"SET {upper}")


def _refuse_unless(condition: bool, what: str) -> None:
    if not condition:
        raise unsupported(what)


def parse_only(options: Options, block: Block) -> bool:
    """Return whether a batch is not to be run; ``SET PARSEONLY`` counts when it is parsed, wherever it stands."""
    for statement in _set_options(block):
        if "PARSEONLY" in statement.names:
            options.parseonly = statement.value.upper() == "ON"
    return options.parseonly


def _set_options(statement: object) -> Iterator[SetOption]:
    if isinstance(statement, SetOption):
        yield statement
    elif isinstance(statement, Statement):
        for part in fields(statement):
            yield from _set_options(getattr(statement, part.name))
    elif isinstance(statement, tuple):
        for each in statement:
            yield from _set_options(each)
