"""One transaction around a step's script, and the marker in it that tells whether it has committed.

The marker is a row of ``elasticjobs.transaction_markers`` in the target, written in the script's own transaction: not
``done`` as its first statement, ``done`` together with the COMMIT. So, once the session that sent the script has ended,

* a marker that is done says that all of it committed;
* no marker says that nothing of it did;
* a marker that is not done says that the script has ended the transaction by itself, and a part of it committed.

A lock that belongs to the transaction tells between two batches, and before the COMMIT, whether it is still the same
(Transact-SQL reference, ``sp_getapplock``: a lock owned by a transaction ends with it).

The table is made when it is missing, which needs the rights to CREATE SCHEMA and CREATE TABLE; where it exists, SELECT,
INSERT, UPDATE and DELETE on it are enough. Markers older than 30 days are removed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import (
    DefinitionError,
    ElasticJobsError,
    OutcomeUnknownError,
    ScriptError,
    ServerUnreachableError,
)
from airflow_provider_elasticjobs.execution.session import ask
from airflow_provider_elasticjobs.tsql.literals import literal
from airflow_provider_elasticjobs.tsql.odbc import connection_is_alive

if TYPE_CHECKING:
    import pyodbc

    from airflow_provider_elasticjobs.job_database.records import Claim

__all__ = ["MARKER_SCHEMA", "MARKER_TABLE", "StepTransaction"]

MARKER_SCHEMA = "elasticjobs"
MARKER_TABLE = f"{MARKER_SCHEMA}.transaction_markers"

_KEPT_DAYS = 30

_EXISTS = f"SELECT CASE WHEN OBJECT_ID(N'{MARKER_TABLE}') IS NULL THEN 0 ELSE 1 END;"

_CREATE_SCHEMA = f"IF SCHEMA_ID(N'{MARKER_SCHEMA}') IS NULL EXEC (N'CREATE SCHEMA {MARKER_SCHEMA}');"

_CREATE_TABLE = f"""
CREATE TABLE {MARKER_TABLE} (
    work_id uniqueidentifier NOT NULL,
    done bit NOT NULL,
    job_execution_id uniqueidentifier NOT NULL,
    step_name nvarchar(128) NOT NULL,
    create_time datetime2(7) NOT NULL,
    CONSTRAINT PK_transaction_markers PRIMARY KEY (work_id)
);
"""

# A marker of a script that runs is locked: who cleans up must not wait for it.
_CLEAN = f"""
SET NOCOUNT ON; SET LOCK_TIMEOUT 0;
DELETE FROM {MARKER_TABLE} WHERE create_time < DATEADD(day, -{_KEPT_DAYS}, SYSUTCDATETIME());
"""
_WAIT_FOR_LOCKS_AGAIN = "SET LOCK_TIMEOUT {milliseconds}; SET NOCOUNT OFF;"

_LOCK = "elasticjobs/transaction"
#: How many transactions are open, 0 if ours is not among them.
_OPEN = f"CASE WHEN APPLOCK_MODE('public', '{_LOCK}', 'Transaction') = 'Shared' THEN @@TRANCOUNT ELSE 0 END"

_BEGIN = f"""
SET NOCOUNT ON; SET XACT_ABORT ON;
BEGIN TRANSACTION;
DECLARE @result int;
EXEC @result = sp_getapplock @Resource = '{_LOCK}', @LockMode = 'Shared', @LockOwner = 'Transaction', @LockTimeout = 0;
DELETE FROM {MARKER_TABLE} WHERE work_id = {{work_id}};
INSERT INTO {MARKER_TABLE} (work_id, done, job_execution_id, step_name, create_time)
VALUES ({{work_id}}, 0, {{job_execution_id}}, {{step_name}}, SYSUTCDATETIME());
SET NOCOUNT OFF;
"""

_COMMIT = f"""
SET NOCOUNT ON;
DECLARE @open int = {_OPEN};
IF @open = 1
BEGIN
    UPDATE {MARKER_TABLE} SET done = 1 WHERE work_id = {{work_id}};
    COMMIT TRANSACTION;
END;
SELECT @open;
"""

_LOOK = f"SELECT done FROM {MARKER_TABLE} WHERE work_id = {{work_id}};"

_OWN_END = (
    "the script has ended the transaction that transaction=True began around it: it must not COMMIT or ROLLBACK more"
    " than it begins; what it committed by itself stays"
)


class StepTransaction:
    """The transaction of one step on one database; each of its sessions is handed in, with the step's lock held.

    :param claim: the row that the script runs for; its ``work_id`` is the marker's key.
    :param lock_timeout: the step's, in milliseconds; -1 for none.
    """

    def __init__(self, claim: Claim, lock_timeout: int = -1) -> None:
        self._target = claim.target
        self._lock_timeout = lock_timeout
        self._values = {
            "work_id": literal(claim.work_id),
            "job_execution_id": literal(claim.job_execution_id),
            "step_name": literal(claim.step_name),
        }

    def begin(self, connection: pyodbc.Connection) -> None:
        """Begin the transaction, with the marker in it; the table is made before, if need be.

        :raises ScriptError: if the server refuses; nothing of the script has been sent.
        :raises ServerUnreachableError: if it does not answer.
        """
        if not self._has_table(connection):
            self._make_table(connection)
        self._clean(connection)
        self._send(connection, _BEGIN.format(**self._values))

    def require_open(self, connection: pyodbc.Connection) -> None:
        """Check between two batches that the transaction is still open.

        :raises DefinitionError: if the script has ended it.
        :raises OutcomeUnknownError: if the server does not answer any more.
        """
        if not ask(connection, f"SELECT {_OPEN};", self._target, OutcomeUnknownError):
            raise self._definition_error(_OWN_END)

    def commit(self, connection: pyodbc.Connection) -> None:
        """Commit the script and its marker.

        :raises DefinitionError: if the script has ended the transaction, or left one of its own open.
        :raises ScriptError: if the server refuses to commit, and has rolled back.
        :raises OutcomeUnknownError: if the connection broke before the answer.
        """
        try:
            count = ask(connection, _COMMIT.format(**self._values), self._target, OutcomeUnknownError)
        except ScriptError as error:
            if connection_is_alive(connection):
                raise
            # An error that also ends the session may come when the log had been written.
            raise OutcomeUnknownError(
                error.message, server=error.server, database=error.database, number=error.number
            ) from error
        if count == 0:
            raise self._definition_error(_OWN_END)
        if count != 1:
            raise self._definition_error(
                f"the script left {count - 1} transaction(s) of its own open, so all of it is rolled back"
            )

    def committed(self, connection: pyodbc.Connection) -> bool | None:
        """Return whether an earlier session's transaction has committed; None if only a part of its script may have.

        :raises ScriptError: if the server refuses the question.
        :raises ServerUnreachableError: if it does not answer.
        """
        if not self._has_table(connection):
            return False
        done = self._send(connection, _LOOK.format(**self._values))
        if done is None:
            return False
        return True if done else None

    def _has_table(self, connection: pyodbc.Connection) -> bool:
        return bool(self._send(connection, _EXISTS))

    def _make_table(self, connection: pyodbc.Connection) -> None:
        try:
            self._send(connection, _CREATE_SCHEMA)
            self._send(connection, _CREATE_TABLE)
        except ScriptError as error:
            # Another step may have made it meanwhile.
            if not self._has_table(connection):
                error.message += (
                    f"; transaction=True needs the table {MARKER_TABLE}, or the rights to create it and its schema"
                )
                raise

    def _clean(self, connection: pyodbc.Connection) -> None:
        with suppress(ScriptError):  # locked, or not permitted: the next step cleans up
            self._send(connection, _CLEAN)
        self._send(connection, _WAIT_FOR_LOCKS_AGAIN.format(milliseconds=self._lock_timeout))

    def _send(self, connection: pyodbc.Connection, text: str) -> object:
        return ask(connection, text, self._target, ServerUnreachableError)

    def _definition_error(self, text: str) -> ElasticJobsError:
        return DefinitionError(text, server=self._target.server_name, database=self._target.database_name)
