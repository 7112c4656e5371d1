"""What is asked on a target's session besides the script: the lock before it, the open transactions after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import OutcomeUnknownError, ScriptError, ServerUnreachableError
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.tsql.diagnostics import first_number, joined_text, parse_odbc_error
from airflow_provider_elasticjobs.tsql.literals import literal

if TYPE_CHECKING:
    import pyodbc

__all__ = [
    "acquire_step_lock",
    "ask",
    "limit_lock_waits",
    "refuse_open_transactions",
    "step_is_running",
    "step_lock_name",
]

# Held by the session, not by a transaction: the script's own leave it alone, and it ends with the connection.
_ACQUIRE = """
SET NOCOUNT ON;
DECLARE @result int;
EXEC @result = sp_getapplock @Resource = {name}, @LockMode = 'Exclusive', @LockOwner = 'Session', @LockTimeout = 0;
SET NOCOUNT OFF;
SELECT @result;
"""

_TEST = "SELECT APPLOCK_TEST('public', {name}, 'Exclusive', 'Session');"


def step_lock_name(job_id: UUID, step_name: str, database_name: str) -> str:
    """Return the name of one step's lock on one database, at most 255 characters.

    It holds the step's name, not its id: a step inserted before it must not make it another one. SQL Server keeps the
    locks of each database apart; the database stands in the name for engines that do not (Babelfish).
    """
    return f"elasticjobs/{str(job_id).lower()}/{step_name.casefold()}/{database_name.casefold()}"[:255]


def acquire_step_lock(connection: pyodbc.Connection, name: str, target: Target) -> bool:
    """Take a step's lock for the life of the connection's session.

    :param connection: an open connection to the target.
    :param name: from :func:`step_lock_name`.
    :param target: the database, for errors.
    :returns: False if another session holds it.
    :raises ScriptError: if the server refuses the question.
    :raises ServerUnreachableError: if it does not answer; the script has not been sent then.
    """
    result = ask(connection, _ACQUIRE.format(name=literal(name)), target)
    return result is not None and int(result) >= 0


def step_is_running(connection: pyodbc.Connection, name: str, target: Target) -> bool:
    """Return whether a session holds a step's lock: a script of the step runs there, whoever started it.

    The lock is asked for and not taken, so that a script that begins meanwhile does not find it held and skip itself.

    :param connection: an open connection to the target.
    :param name: from :func:`step_lock_name`.
    :param target: the database, for errors.
    :raises ScriptError: if the server refuses the question.
    :raises ServerUnreachableError: if it does not answer.
    """
    grantable = ask(connection, _TEST.format(name=literal(name)), target)
    return grantable is not None and int(grantable) == 0


def refuse_open_transactions(connection: pyodbc.Connection, target: Target) -> None:
    """Raise if the script left a transaction open: closing the connection would undo what looked like a success.

    :param connection: the script's connection.
    :param target: the database, for errors.
    :raises ScriptError: naming how many are open.
    :raises OutcomeUnknownError: if the server does not answer any more.
    """
    if count := ask(connection, "SELECT @@TRANCOUNT;", target, OutcomeUnknownError):
        raise ScriptError(
            f"the script ended with {count} open transaction(s), which are rolled back: "
            "every BEGIN TRANSACTION needs its COMMIT",
            server=target.server_name,
            database=target.database_name,
        )


def limit_lock_waits(connection: pyodbc.Connection, milliseconds: int, target: Target) -> None:
    """Make a statement that waits longer for a lock fail with error 1222, on this session.

    :param connection: an open connection to the target.
    :param milliseconds: how long it may wait; 0 for not at all.
    :param target: the database, for errors.
    :raises ScriptError: if the server refuses.
    :raises ServerUnreachableError: if it does not answer; the script has not been sent then.
    """
    ask(connection, f"SET LOCK_TIMEOUT {milliseconds};", target)


def ask(
    connection: pyodbc.Connection,
    question: str,
    target: Target,
    unanswered: type[ServerUnreachableError | OutcomeUnknownError] = ServerUnreachableError,
) -> Any:
    """Send a statement of our own and return the first value of its answer; None if it answers with none.

    :param connection: an open connection to the target.
    :param question: T-SQL.
    :param target: the database, for errors.
    :param unanswered: what to raise if the server does not answer.
    :raises ScriptError: if the server refuses it.
    """
    import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed

    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            while cursor.description is None and cursor.nextset():
                pass  # a server may speak before it answers
            return None if cursor.description is None else cursor.fetchval()
    except pyodbc.Error as error:
        records = parse_odbc_error(error)
        number = first_number(records)
        kind = unanswered if number is None else ScriptError
        text = f"{target.label}: {joined_text(records)}"
        raise kind(text, server=target.server_name, database=target.database_name, number=number) from error
