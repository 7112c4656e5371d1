"""Installing the schema: numbered steps, each in a transaction of its own, once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.job_database.locking import take_lock
from airflow_provider_elasticjobs.job_database.rights import lacking_rights, rights_to_apply
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep, schema_steps

__all__ = ["current_version", "installed_version", "refusal", "refuse_newer", "upgrade"]

_SYSTEM_DATABASES = frozenset({"master", "model", "msdb", "tempdb"})

_STATE = Batch(
    """
SELECT CASE WHEN OBJECT_ID('jobs_internal.schema_versions') IS NULL THEN 0 ELSE 1 END AS is_ours,
    DB_NAME() AS database_name, HAS_PERMS_BY_NAME(N'jobs_internal', N'SCHEMA', N'SELECT') AS may_look,
    (SELECT COUNT(*) FROM sys.schemas WHERE name IN ('jobs', 'jobs_internal')) AS schemas,
    (SELECT COUNT(*) FROM sys.objects AS o INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id
        WHERE s.name IN ('jobs', 'jobs_internal')) AS objects;
"""
)
_VERSION = Batch("SELECT MAX(version) AS version FROM jobs_internal.schema_versions;")
_RECORD = Batch(
    "INSERT INTO jobs_internal.schema_versions (version, name, applied_time) VALUES (@version, @name, @now);",
    version="int",
    name="nvarchar(128)",
)


def installed_version(session: Session, db: JobDatabase) -> int:
    """Return the version of the installed schema, 0 for a database without it.

    :param session: of the job database.
    :param db: the job database, for messages.
    :raises JobDatabaseError: if the database is the server's own, holds somebody else's schema ``jobs``, or does not
        let the login look.
    """
    state = session.run(_STATE)[0]
    if state.is_ours:
        return session.run(_VERSION)[0].version or 0
    if str(state.database_name).lower() in _SYSTEM_DATABASES:
        raise refusal(db, "is one of the server's own databases: name another one in the connection's field 'schema'")
    if state.schemas and state.may_look == 0:
        raise refusal(
            db,
            "has a schema 'jobs_internal' that this login may not look into: see the rights that running jobs needs"
            " in docs/operations.md",
        )
    if state.schemas and state.objects:
        raise refusal(
            db,
            "already has a schema 'jobs' that this package did not make (Azure Elastic Jobs' own?). It is left"
            " untouched; use another, empty database as the job database.",
        )
    return 0


def current_version(db: JobDatabase) -> int:
    """Return the version of the installed schema, 0 for a database without it.

    :raises JobDatabaseError: as :func:`installed_version`.
    """
    return db.repeatedly(lambda session: installed_version(session, db))


def upgrade(db: JobDatabase, steps: Sequence[SchemaStep] | None = None) -> list[str]:
    """Install what is missing, step by step; safe to run again, and by two at once.

    :param db: the job database.
    :param steps: the steps to install; all that the package knows by default.
    :return: the names of the steps applied now, none if it was up to date.
    :raises JobDatabaseError: if the database is somebody else's, or of a newer package, or a right is missing.
    """
    known = schema_steps() if steps is None else steps
    version = current_version(db)
    refuse_newer(db, version, known[-1].version)
    pending = [step for step in known if step.version > version]
    if not pending:
        return []
    lacking = db.repeatedly(lambda session: lacking_rights(session, rights_to_apply(pending)))
    if lacking:
        raise refusal(db, f"cannot be installed or upgraded: {lacking}")
    return [step.name for step in pending if db.transact(partial(_apply, step=step, db=db))]


def _apply(session: Session, step: SchemaStep, db: JobDatabase) -> bool:
    take_lock(session, "schema")
    if installed_version(session, db) >= step.version:
        return False
    for batch in step.batches:
        session.text(batch)
    session.run(_RECORD, version=step.version, name=step.name)
    return True


def refuse_newer(db: JobDatabase, version: int, known: int) -> None:
    """Refuse a schema that a newer package installed.

    :param version: the installed one.
    :param known: the newest that this package knows.
    :raises JobDatabaseError: if the installed one is newer.
    """
    if version > known:
        raise refusal(db, f"has version {version} of the schema; this package knows {known}: upgrade the package")


def refusal(db: JobDatabase, reason: str) -> JobDatabaseError:
    """Return the error that says why nothing is done with a job database.

    :param reason: continues a sentence that begins with the job database.
    """
    return JobDatabaseError(f"job database {db.server}/{db.database} {reason}", server=db.server, database=db.database)
