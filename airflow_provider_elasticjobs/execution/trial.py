"""Trying a script on a target's session, so that nothing of it stays: the server parses it, or runs it and rolls back.

A server that is told to parse is asked first whether it does, since one that only accepts ``SET PARSEONLY`` would run
the script. What is rolled back is guarded three times over. The transaction is opened many times, so that a ``COMMIT``
too many in the script only counts down. ``IMPLICIT_TRANSACTIONS`` is on, so that what follows the script's own
``ROLLBACK`` is in a transaction again. And a lock that belongs to the transaction tells whether it lived to the end: if
not, the trial failed, and says that something may have stayed.

Sources: Transact-SQL reference, ``SET PARSEONLY`` (set at parse time), ``SET IMPLICIT_TRANSACTIONS``,
``sp_getapplock`` (a lock owned by a transaction ends with it), ``@@TRANCOUNT``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import DefinitionError, ElasticJobsError, ScriptError
from airflow_provider_elasticjobs.execution.session import ask
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.model.trial import Trial
from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.lexer import RegionKind, regions

if TYPE_CHECKING:
    import pyodbc

__all__ = ["check_can_be_tried", "parsed_only", "rolled_back"]

_LOCK = "elasticjobs/trial"
_DEPTH = 32

_BEGIN = f"""
SET NOCOUNT ON;
DECLARE @depth int = 0, @result int;
WHILE @depth < {_DEPTH}
BEGIN
    BEGIN TRANSACTION;
    SET @depth = @depth + 1;
END;
EXEC @result = sp_getapplock @Resource = '{_LOCK}', @LockMode = 'Shared', @LockOwner = 'Transaction', @LockTimeout = 0;
SET NOCOUNT OFF;
SELECT @@TRANCOUNT;
"""
_IS_OURS = f"SELECT CASE WHEN APPLOCK_MODE('public', '{_LOCK}', 'Transaction') = 'Shared' THEN 1 ELSE 0 END;"
_UNDO = "SET IMPLICIT_TRANSACTIONS OFF; IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION;"

#: What a script may not say in a trial, and why.
_NOT_IN: dict[Trial, tuple[tuple[re.Pattern[str], str], ...]] = {
    Trial.PLAN: (),
    Trial.PARSE: ((re.compile(r"\bPARSEONLY\b", re.IGNORECASE), "it sets PARSEONLY itself, and would then be run"),),
    Trial.ROLLBACK: (
        (
            re.compile(r"\bIMPLICIT_TRANSACTIONS\b", re.IGNORECASE),
            "it sets IMPLICIT_TRANSACTIONS itself, which the trial depends on",
        ),
        (
            re.compile(r"\bWHILE\b[\s(]*@@TRANCOUNT\b", re.IGNORECASE),
            "it commits or rolls back until no transaction is left, the trial's own included",
        ),
    ),
}


def check_can_be_tried(trial: Trial, batches: Sequence[Batch]) -> None:
    """Refuse a script that would get around its trial.

    :param trial: how it is to be tried.
    :param batches: the script.
    :raises DefinitionError: saying what stands in the way; nothing has been sent then.
    """
    for batch in batches:
        code = "".join(
            batch.text[region.start : region.end] if region.kind is RegionKind.CODE else " "
            for region in regions(batch.text)
        )
        for pattern, reason in _NOT_IN[trial]:
            if pattern.search(code):
                raise DefinitionError(f"the script cannot be tried with trial={str(trial)!r}: {reason}")


@contextlib.contextmanager
def parsed_only(connection: pyodbc.Connection, target: Target) -> Iterator[None]:
    """Make the session parse what it is sent while the block runs, and run nothing.

    :param connection: an open connection to the target, in autocommit mode.
    :param target: the database, for errors.
    :raises ScriptError: if the server accepts ``SET PARSEONLY`` and runs batches all the same.
    """
    ask(connection, "SET PARSEONLY ON;", target)
    if ask(connection, "SELECT 1;", target) is not None:
        raise ScriptError(
            f"{target.label}: this server does not heed SET PARSEONLY: the script cannot be tried with trial='parse'",
            server=target.server_name,
            database=target.database_name,
        )
    yield
    ask(connection, "SET PARSEONLY OFF;", target)


@contextlib.contextmanager
def rolled_back(connection: pyodbc.Connection, target: Target) -> Iterator[None]:
    """Hold the session in a transaction while the block runs, and roll it back.

    :param connection: an open connection to the target, in autocommit mode, to be closed after an error.
    :param target: the database, for errors.
    :raises ScriptError: if the transaction did not live to the end: what the script committed then stays.
    """
    ask(connection, "SET IMPLICIT_TRANSACTIONS ON;", target)
    ask(connection, _BEGIN, target)
    try:
        yield
    except ElasticJobsError as error:
        _undo(connection, target, error)
        raise
    _undo(connection, target, None)


def _undo(connection: pyodbc.Connection, target: Target, failure: ElasticJobsError | None) -> None:
    """Roll back, and say so if there was nothing left to roll back.

    An error of the script often ends its transaction, by the server's doing: then nothing has stayed.
    """
    try:
        is_ours = ask(connection, _IS_OURS, target) == 1
        ask(connection, _UNDO, target)
    except ElasticJobsError:
        # The session is gone, and its transaction with it; what the script raised says more.
        if failure is None:
            raise
        return
    if not is_ours and failure is None:
        raise ScriptError(
            "the script ended the trial's transaction by itself (COMMIT or ROLLBACK without its BEGIN TRANSACTION), "
            "so that what it did before may have stayed: look at the database",
            server=target.server_name,
            database=target.database_name,
        )
