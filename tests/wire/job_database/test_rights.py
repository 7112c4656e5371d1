"""Logins that lack rights: what is missing is named before anything is tried, and what is named is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

import pyodbc
import pytest

from airflow_provider_elasticjobs.authentication import SqlLogin
from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.cancellation import cancel_execution
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.downgrade import downgrade
from airflow_provider_elasticjobs.job_database.inspection import inspect_job_database
from airflow_provider_elasticjobs.job_database.install import current_version, upgrade
from airflow_provider_elasticjobs.job_database.rights import TO_RUN
from airflow_provider_elasticjobs.job_database.schema_steps import schema_steps
from tests.job_database_invariants import broken_invariants
from tests.wire.conftest import LiveServer
from tests.wire.job_database.runs import Run

CREATES = ("CREATE PROCEDURE", "CREATE ROLE", "CREATE SCHEMA", "CREATE TABLE", "CREATE VIEW")
LATEST = schema_steps()[-1].version


@dataclass
class Visitor:
    """A user without any right in a database of its own, and the owner's way in."""

    server: LiveServer
    database: str
    name: str = field(default_factory=lambda: f"user_{uuid4().hex[:10]}")
    password: str = field(default_factory=lambda: f"Pw!{uuid4().hex}")

    def __post_init__(self) -> None:
        self.server.execute(f"CREATE LOGIN {self.name} WITH PASSWORD = '{self.password}';")
        self.as_owner(f"CREATE USER {self.name} FOR LOGIN {self.name};")
        settings = replace(self.server.settings, authentication=SqlLogin(self.name, self.password))
        self.owner = self.server.job_database(self.database)
        self.db = JobDatabase(
            lambda: connect(settings, self.server.name, self.database), server=self.server.name, database=self.database
        )

    def as_owner(self, *statements: str) -> None:
        """Run statements as an owner of the database; ``{}`` is the user."""
        for statement in statements:
            self.server.execute(statement.format(self.name), self.database)

    def close(self) -> None:
        """Take the user away."""
        self.db.close()
        self.owner.close()
        with suppress(pyodbc.Error):
            self.as_owner("DROP USER {};")
            self.server.execute(f"DROP LOGIN {self.name};")


@pytest.fixture
def visitor(server: LiveServer, new_database: Callable[[], str]) -> Iterator[Visitor]:
    made = Visitor(server, new_database())
    yield made
    made.close()


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(JobDatabaseError) as caught:
        act()
    return str(caught.value)


class TestUpgrade:
    def test_every_missing_right_is_named_in_one_error(self, visitor: Visitor) -> None:
        said = refused(lambda: upgrade(visitor.db))
        assert f"user '{visitor.name}' lacks the right(s) {', '.join(CREATES)};" in said
        assert f"GRANT {', '.join(CREATES)} TO [{visitor.name}];" in said
        assert current_version(visitor.owner) == 0

    @pytest.mark.sandbox_only
    @pytest.mark.parametrize("missing", CREATES)
    def test_each_of_them_is_needed(self, visitor: Visitor, missing: str) -> None:
        visitor.as_owner(*(f"GRANT {right} TO {{}};" for right in CREATES if right != missing))
        assert f"lacks the right(s) {missing};" in refused(lambda: upgrade(visitor.db))
        assert visitor.server.execute("SELECT name FROM sys.schemas WHERE name LIKE 'jobs%';", visitor.database) == []

    @pytest.mark.sandbox_only
    def test_what_is_named_is_enough(self, visitor: Visitor) -> None:
        visitor.as_owner(refused(lambda: upgrade(visitor.db)).partition("grants them: ")[2])
        assert upgrade(visitor.db)
        assert inspect_job_database(visitor.db).is_ready
        run = Run(visitor.db)
        run.run_target(run.begin(1)[0])
        assert run.row().lifecycle == "Succeeded"

    def test_one_who_may_work_there_does_not_own_what_another_made(self, visitor: Visitor) -> None:
        upgrade(visitor.owner, schema_steps()[:4])
        visitor.as_owner("GRANT SELECT ON SCHEMA::jobs_internal TO {};")
        said = refused(lambda: upgrade(visitor.db, schema_steps()[:9]))
        for right in ("CREATE PROCEDURE", "CONTROL on schema jobs,", "CONTROL on schema jobs_internal"):
            assert right in said
        assert "CREATE VIEW" not in said
        assert current_version(visitor.owner) == 4

    def test_what_the_server_refuses_later_is_said_with_its_words(self, visitor: Visitor) -> None:
        """An engine that cannot tell beforehand refuses the statement, and the step is undone."""
        with pytest.raises(JobDatabaseError, match="denied"):
            visitor.db.transact(lambda session: session.text("CREATE SCHEMA jobs;"))
        assert current_version(visitor.owner) == 0


class TestRunning:
    @pytest.fixture
    def db(self, visitor: Visitor) -> JobDatabase:
        upgrade(visitor.owner)
        return visitor.db

    def test_without_any_right_one_may_not_even_look(self, db: JobDatabase) -> None:
        """Servers differ on whether names are shown to everybody; then the version cannot be read."""
        said = refused(lambda: inspect_job_database(db))
        assert "that this login may not look into" in said or "the login lacks a right: SELECT" in said

    def test_what_lacks_is_named(self, visitor: Visitor, db: JobDatabase) -> None:
        visitor.as_owner("GRANT SELECT, INSERT ON SCHEMA::jobs_internal TO {};", "GRANT SELECT ON SCHEMA::jobs TO {};")
        found = inspect_job_database(db)
        assert not found.is_ready
        assert (found.version, found.pending) == (LATEST, ())
        assert [str(right) for right in found.lacking.rights] == [
            "UPDATE on schema jobs_internal",
            "DELETE on schema jobs_internal",
            "EXECUTE on schema jobs_internal",
            "SELECT on schema jobs_ext",
        ]
        visitor.as_owner(*(f"{grant};" for grant in found.lacking.grants.split(";")[:-1]))
        assert inspect_job_database(db).is_ready

    def test_the_documented_rights_run_a_job_from_beginning_to_end(self, visitor: Visitor, db: JobDatabase) -> None:
        visitor.as_owner(
            "GRANT SELECT, INSERT, UPDATE, DELETE, EXECUTE ON SCHEMA::jobs_internal TO {};",
            "ALTER ROLE jobs_admin ADD MEMBER {};",
        )
        assert inspect_job_database(db).is_ready
        run = Run(db)
        done, stopped = run.begin(2)
        run.run_target(done)
        cancel_execution(db, run.id)
        assert (run.row(1, done.target.database_name).lifecycle, run.row().lifecycle) == ("Succeeded", "Canceled")
        assert run.row(1, stopped.target.database_name).lifecycle == "Canceled"
        assert broken_invariants(db) == []

    def test_one_who_runs_jobs_cannot_take_the_schema_back(self, visitor: Visitor, db: JobDatabase) -> None:
        visitor.as_owner(
            f"GRANT {', '.join(right.permission for right in TO_RUN[:5])} ON SCHEMA::jobs_internal TO {{}};"
        )
        said = refused(lambda: downgrade(db, 0, accept_loss=True))
        assert "CONTROL on schema jobs_internal" in said
        assert current_version(visitor.owner) == LATEST
