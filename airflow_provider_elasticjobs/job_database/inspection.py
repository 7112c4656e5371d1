"""Whether a job database can be used: its version, the rights of the login, and what about the server asks for care."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase, Session
from airflow_provider_elasticjobs.job_database.install import installed_version, refuse_newer
from airflow_provider_elasticjobs.job_database.rights import TO_RUN, LackingRights, lacking_rights, rights_to_apply
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep, schema_steps

__all__ = ["Inspection", "ServerFacts", "inspect_job_database"]

_SQL_SERVER_2019 = 15

#: ``SERVERPROPERTY('EngineEdition')`` of what looks like SQL Server and is not meant here.
_OTHER_ENGINES = {6: "a dedicated SQL pool", 9: "Azure SQL Edge", 11: "a serverless SQL pool"}
#: Of SQL Server itself, whose version has a meaning; Azure's engines always say 12.
_SQL_SERVER = frozenset({1, 2, 3, 4})

_FACTS = Batch(
    """
SELECT CAST(SERVERPROPERTY('EngineEdition') AS int) AS engine_edition,
    CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)) AS product_version,
    CAST(DATABASEPROPERTYEX(DB_NAME(), 'Collation') AS nvarchar(128)) AS collation,
    CAST(CASE WHEN N'a' = N'A' THEN 0 ELSE 1 END AS bit) AS is_case_sensitive,
    CAST(CASE WHEN CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(60)) = N'READ_ONLY'
        THEN 1 ELSE 0 END AS bit) AS is_read_only,
    (SELECT is_read_committed_snapshot_on FROM sys.databases WHERE name = DB_NAME()) AS has_snapshots,
    (SELECT COUNT(DISTINCT principal_id) FROM sys.schemas
        WHERE name IN ('jobs', 'jobs_internal', 'jobs_ext')) AS owners;
"""
)


@dataclass(frozen=True)
class ServerFacts:
    """What the server says of itself and of the database.

    :param engine_edition: ``SERVERPROPERTY('EngineEdition')``.
    :param product_version: ``SERVERPROPERTY('ProductVersion')``, such as ``15.0.4390.2``.
    :param collation: the database's collation.
    :param is_case_sensitive: whether that collation tells letter cases apart.
    :param is_read_only: whether the database cannot be written.
    :param has_snapshots: whether READ_COMMITTED_SNAPSHOT is on.
    :param owners: how many owners the schemas of the job database have between them.
    """

    engine_edition: int = 5
    product_version: str = "12.0"
    collation: str = "SQL_Latin1_General_CP1_CI_AS"
    is_case_sensitive: bool = False
    is_read_only: bool = False
    has_snapshots: bool = True
    owners: int = 1

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works, but not as one would wish, or has never been tried."""
        major = int(self.product_version.partition(".")[0] or 0)
        other = _OTHER_ENGINES.get(self.engine_edition)
        said = {
            f"the server is {other}, on which this package has never been tried": other is not None,
            f"the server's version is {major}: SQL Server 2019 (15) and newer are supported, and Azure SQL": (
                self.engine_edition in _SQL_SERVER and major < _SQL_SERVER_2019
            ),
            f"the collation {self.collation} tells letter cases apart: 'Job1' and 'job1' are two jobs, and SQL that"
            " spells names otherwise than this package does fails": self.is_case_sensitive,
            "READ_COMMITTED_SNAPSHOT is off: queries over the history wait for runs, and hold them up"
            " (ALTER DATABASE CURRENT SET READ_COMMITTED_SNAPSHOT ON)": not self.has_snapshots,
            "the schemas jobs, jobs_internal and jobs_ext have different owners, so that members of jobs_reader and"
            " jobs_admin cannot reach what is behind the views (ALTER AUTHORIZATION ON SCHEMA::jobs_ext TO dbo, and so"
            " on)": self.owners > 1,
        }
        return tuple(text for text, applies in said.items() if applies)


@dataclass(frozen=True)
class Inspection:
    """What was found in a job database.

    :param server: its server.
    :param database: its name.
    :param version: the installed version of the schema, 0 for none.
    :param known_version: the version that this package needs.
    :param pending: the steps that are missing.
    :param lacking: the rights that the login lacks for running jobs, or, with steps pending, for applying those.
    :param facts: what the server says of itself.
    """

    server: str
    database: str
    version: int
    known_version: int
    pending: tuple[str, ...]
    lacking: LackingRights
    facts: ServerFacts

    @property
    def problems(self) -> tuple[str, ...]:
        """Why jobs cannot run with it; empty if they can."""
        found = f"has version {self.version} of the schema" if self.version else "is not installed"
        said = {
            f"it {found}; this package needs version {self.known_version}: run 'airflow elasticjobs db upgrade'": bool(
                self.pending
            ),
            str(self.lacking): bool(self.lacking),
            "it is read-only, as a replica is": self.facts.is_read_only,
        }
        return tuple(text for text, applies in said.items() if applies)

    @property
    def is_ready(self) -> bool:
        """Whether jobs can run with it."""
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "server": self.server,
            "database": self.database,
            "is_ready": self.is_ready,
            "version": self.version,
            "known_version": self.known_version,
            "pending": list(self.pending),
            "missing_rights": [str(right) for right in self.lacking.rights],
            "grants": self.lacking.grants,
            "problems": list(self.problems),
            "warnings": list(self.facts.warnings),
        }


def inspect_job_database(db: JobDatabase) -> Inspection:
    """Look at a job database; nothing is written.

    :param db: the job database.
    :raises JobDatabaseError: if it is somebody else's, of a newer package, or cannot be reached or looked into.
    """
    known = schema_steps()

    def look(session: Session) -> Inspection:
        version = installed_version(session, db)
        refuse_newer(db, version, known[-1].version)
        pending = [step for step in known if step.version > version]
        return Inspection(
            db.server,
            db.database,
            version,
            known[-1].version,
            tuple(step.name for step in pending),
            _lacking(session, pending),
            ServerFacts(*session.run(_FACTS)[0]),
        )

    return db.repeatedly(look)


def _lacking(session: Session, pending: list[SchemaStep]) -> LackingRights:
    return lacking_rights(session, rights_to_apply(pending) if pending else TO_RUN)
