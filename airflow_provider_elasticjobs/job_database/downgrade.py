"""Taking schema steps back, newest first, each in a transaction of its own; never while jobs run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.job_database.install import installed_version, refusal, refuse_newer
from airflow_provider_elasticjobs.job_database.locking import take_lock
from airflow_provider_elasticjobs.job_database.rights import lacking_rights, rights_to_undo
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep, schema_steps

__all__ = ["Loss", "downgrade", "losses_of"]

_DROPS_TABLE = re.compile(r"^DROP[ \t]+TABLE[ \t]+(\w+\.\w+)", re.IGNORECASE | re.MULTILINE)
_DROPS_COLUMN = re.compile(
    r"^ALTER[ \t]+TABLE[ \t]+(\w+\.\w+)[ \t]+DROP[ \t]+COLUMN[ \t]+(\w+)", re.IGNORECASE | re.MULTILINE
)
_ADDS_DEFAULT = re.compile(
    r"^ALTER[ \t]+TABLE[ \t]+(\w+\.\w+)[ \t]+ADD[ \t]+(\w+)\b[^;]*?\bDEFAULT[ \t]+\(?(-?\d+|N?'[^']*')",
    re.IGNORECASE | re.MULTILINE,
)
_DROPS_ROLE = re.compile(r"^DROP[ \t]+ROLE[ \t]+(\w+)", re.IGNORECASE | re.MULTILINE)

#: Which steps were applied is no history of jobs.
_BOOKKEEPING = "jobs_internal.schema_versions"

_ACTIVE = Batch("SELECT COUNT(*) AS runs FROM jobs_internal.executions WHERE is_active = 1 AND step_id IS NULL;")
_FORGET = Batch("DELETE FROM jobs_internal.schema_versions WHERE version = @version;", version="int")
_MEMBERS = Batch(
    """
SELECT r.name AS role_name, m.name AS member_name
FROM sys.database_role_members AS x
INNER JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id
INNER JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id
INNER JOIN ({rows}) AS w (role_name) ON w.role_name = r.name
ORDER BY r.name, m.name;
""",
    rows=("nvarchar(128)",),
)


@dataclass(frozen=True)
class Loss:
    """What is gone after a downgrade.

    :param what: a table, or a column of a table that stays.
    :param rows: how many rows it has, or says something in.
    """

    what: str
    rows: int

    def __str__(self) -> str:
        return f"{self.rows} row(s) of {self.what}"


def downgrade(
    db: JobDatabase, version: int, *, accept_loss: bool = False, steps: Sequence[SchemaStep] | None = None
) -> list[str]:
    """Undo the steps above a version, newest first; interrupted, it can be repeated.

    :param db: the job database.
    :param version: the version to go back to; 0 removes everything.
    :param accept_loss: whether to go on when rows would be lost.
    :param steps: the steps that are known; all of the package's by default.
    :return: the names of the steps undone now, none if the version was not above.
    :raises JobDatabaseError: saying why nothing is done: the database is somebody else's or of a newer package, a step
        cannot be undone, runs are active, a role has members, a right is missing, or rows would be lost.
    """
    known = schema_steps() if steps is None else steps
    doomed = db.repeatedly(lambda session: _examined(session, db, known, version, accept_loss=accept_loss))
    return [step.name for step in doomed if db.transact(partial(_undo, step=step, db=db))]


def _examined(
    session: Session, db: JobDatabase, known: Sequence[SchemaStep], version: int, *, accept_loss: bool
) -> list[SchemaStep]:
    """Return the steps to undo, newest first, if nothing speaks against it."""
    current = installed_version(session, db)
    refuse_newer(db, current, known[-1].version)
    doomed = [step for step in reversed(known) if version < step.version <= current]
    if not doomed:
        return []
    _refuse_irreversible(db, doomed)
    lacking = lacking_rights(session, rights_to_undo())
    if lacking:
        raise refusal(db, f"cannot be downgraded: {lacking}")
    _refuse_active(session, db)
    _refuse_members(session, db, doomed)
    losses = losses_of(session, doomed)
    if losses and not accept_loss:
        lost = ", ".join(str(loss) for loss in losses)
        raise refusal(db, f"would lose {lost}: say --yes if they may go")
    return doomed


def _refuse_irreversible(db: JobDatabase, doomed: Sequence[SchemaStep]) -> None:
    for step in doomed:
        if step.undo is None:
            why = step.irreversible or f"the package has no undo script {step.name}.down.sql"
            raise refusal(db, f"cannot go back below version {step.version}: step {step.name} cannot be undone: {why}")


def _refuse_active(session: Session, db: JobDatabase) -> None:
    runs = session.run(_ACTIVE)[0].runs
    if runs:
        raise refusal(
            db,
            f"has {runs} active run(s), see 'airflow elasticjobs executions list --active':"
            " let them end, or stop them, and pause their DAGs",
        )


def _refuse_members(session: Session, db: JobDatabase, doomed: Sequence[SchemaStep]) -> None:
    roles = [(role,) for step in doomed for role in _DROPS_ROLE.findall(step.undo or "")]
    members = session.run(_MEMBERS, roles) if roles else []
    if members:
        statements = " ".join(f"ALTER ROLE {one.role_name} DROP MEMBER [{one.member_name}];" for one in members)
        raise refusal(db, f"has members in roles that would be dropped; take them out first: {statements}")


def losses_of(session: Session, doomed: Sequence[SchemaStep]) -> list[Loss]:
    """Return what the undo scripts of steps would destroy, as far as it has rows.

    :param session: of the job database.
    :param doomed: the steps; each ``DROP TABLE`` and ``DROP COLUMN`` that begins a line of their undo scripts counts. A
        column that its step added with a default says something where it has another value.
    """
    defaults = {
        (table, column): value for step in doomed for table, column, value in _ADDS_DEFAULT.findall(step.script)
    }
    script = "\n".join(step.undo or "" for step in doomed)
    tables = dict.fromkeys(_DROPS_TABLE.findall(script))
    counted = {table: "1 = 1" for table in tables if table != _BOOKKEEPING}
    losses = [Loss(table, _rows(session, table, condition)) for table, condition in counted.items()]
    losses += [
        Loss(f"{table}.{column}", _rows(session, table, _says_something(column, defaults.get((table, column)))))
        for table, column in _DROPS_COLUMN.findall(script)
        if table not in tables
    ]
    return [loss for loss in losses if loss.rows]


def _says_something(column: str, default: str | None) -> str:
    return f"{column} IS NOT NULL" if default is None else f"{column} <> {default}"


def _rows(session: Session, table: str, condition: str) -> int:
    return int(session.run(Batch(f"SELECT COUNT_BIG(*) AS found FROM {table} WHERE {condition};"))[0].found)


def _undo(session: Session, step: SchemaStep, db: JobDatabase) -> bool:
    take_lock(session, "schema")
    if installed_version(session, db) != step.version:
        return False
    # Again, in the transaction: a run may have begun since.
    _refuse_active(session, db)
    for batch in step.undo_batches:
        session.text(batch)
    if step.version > 1:
        session.run(_FORGET, version=step.version)
    return True
