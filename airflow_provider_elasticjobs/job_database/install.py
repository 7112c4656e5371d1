"""Installing the schema: numbered steps, each in a transaction of its own, once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.job_database.locking import take_lock

__all__ = ["SchemaStep", "check", "current_version", "schema_steps", "upgrade"]

_GO = re.compile(r"^[ \t]*GO[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class SchemaStep:
    """One numbered file of ``schema/``."""

    version: int
    name: str
    script: str

    @property
    def batches(self) -> list[str]:
        """The file's batches, separated by ``GO`` on a line of its own."""
        return [batch.strip() for batch in _GO.split(self.script) if batch.strip()]


def schema_steps() -> list[SchemaStep]:
    """Return the steps that this package knows, in order."""
    folder = files(__package__) / "schema"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [SchemaStep(int(name[:3]), name[:-4], (folder / name).read_text(encoding="utf-8")) for name in names]


_STATE = Batch(
    """
SELECT CASE WHEN OBJECT_ID('jobs_internal.schema_versions') IS NULL THEN 0 ELSE 1 END AS is_ours,
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

#: Touches every table that the writer writes, and changes nothing: what is missing, or refused, is said by the engine.
_TOUCH = Batch(
    "\n".join(
        f"DELETE FROM jobs_internal.{table} WHERE 1 = 0;\nUPDATE jobs_internal.{table} SET {key} = {key} WHERE 1 = 0;"
        for table, key in (
            ("executions", "job_id"),
            ("attempts", "outcome"),
            ("messages", "text"),
            ("job_cancellations", "requested_by"),
            ("agents", "host_name"),
            ("place_locks", "flag"),
            ("jobs", "job_version"),
            ("job_versions", "create_time"),
            ("job_steps", "step_name"),
            ("target_groups", "create_time"),
            ("target_group_members", "conn_id"),
            ("targets", "resource_group_name"),
        )
    )
    + "\nSELECT COUNT(*) AS views FROM jobs.job_executions WHERE 1 = 0;"
)


def _version(session: Session, where: str) -> int:
    state = session.run(_STATE)[0]
    if state.is_ours:
        return session.run(_VERSION)[0].version or 0
    if state.schemas and state.objects:
        raise JobDatabaseError(
            f"{where} already has a schema 'jobs' that this package did not make (Azure Elastic Jobs' own?). "
            "It is left untouched; use another, empty database as the job database."
        )
    return 0


def current_version(db: JobDatabase) -> int:
    """Return the version of the installed schema, 0 for a database without it.

    :raises JobDatabaseError: if the database holds somebody else's schema ``jobs``.
    """
    return db.repeatedly(lambda session: _version(session, _where(db)))


def upgrade(db: JobDatabase) -> list[str]:
    """Install what is missing, step by step; safe to run again, and by two at once.

    :param db: the job database.
    :return: the names of the steps applied now, none if it was up to date.
    :raises JobDatabaseError: if the database is somebody else's, or of a newer package, or a right is missing.
    """
    known = schema_steps()
    _refuse_newer(db, current_version(db), known[-1].version)
    return [step.name for step in known if db.transact(partial(_apply, step=step, where=_where(db)))]


def _apply(session: Session, step: SchemaStep, where: str) -> bool:
    take_lock(session, "schema")
    if _version(session, where) >= step.version:
        return False
    for batch in step.batches:
        session.text(batch)
    session.run(_RECORD, version=step.version, name=step.name)
    return True


def check(db: JobDatabase) -> int:
    """Return the installed version, if it is this package's and the login may use it.

    :raises JobDatabaseError: saying what is missing: the schema, steps of it, or a right.
    """
    version, known = current_version(db), schema_steps()[-1].version
    _refuse_newer(db, version, known)
    if version < known:
        found = f"has version {version} of the schema" if version else "is not installed"
        raise JobDatabaseError(
            f"{_where(db)} {found}; this package needs version {known}: run 'airflow elasticjobs db upgrade'",
            server=db.server,
            database=db.database,
        )
    db.run(_TOUCH)
    return version


def _refuse_newer(db: JobDatabase, version: int, known: int) -> None:
    if version > known:
        raise JobDatabaseError(
            f"{_where(db)} has version {version} of the schema; this package knows {known}: upgrade the package",
            server=db.server,
            database=db.database,
        )


def _where(db: JobDatabase) -> str:
    return f"job database {db.server}/{db.database}"
