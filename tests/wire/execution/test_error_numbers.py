"""Each number of the error table, over the real driver: its class, whether it is retried, what the row says of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_provider_elasticjobs.execution import availability
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.sandbox.client import SandboxClient
from airflow_provider_elasticjobs.tsql.error_numbers import (
    DEFAULT_ERRORS,
    ERROR_CLASSES,
    FALSE_LOGIN_FAILURE,
    ErrorClass,
    ErrorTable,
)
from tests.wire.conftest import LiveServer
from tests.wire.execution.conftest import QUICK, Run

pytestmark = pytest.mark.parametrize("in_chunks", [False])

NewRun = Callable[..., Run]
NUMBERS = sorted(number for numbers in ERROR_CLASSES.values() for number in numbers)
TRANSIENT = replace(QUICK, retry_on="transient", availability_timeout=5)
SCRIPT = "INSERT INTO done VALUES (1);"
_ROW = Batch(
    "SELECT outcome, error_number FROM jobs_internal.executions"
    " WHERE job_execution_id = @run AND target_type = 'SqlDatabase';",
    run="uniqueidentifier",
)

#: What a server answers to these numbers without being asked to misbehave.
PROVOKED = {
    102: "SELECT (1;",
    156: "SELECT * FROM WHERE 1 = 1;",
    207: "SELECT no_such_column FROM done;",
    208: "SELECT * FROM no_such_table;",
    515: "INSERT INTO done VALUES (NULL);",
    547: "INSERT INTO checked VALUES (-1);",
    2601: "INSERT INTO single VALUES (1), (1);",
    2627: "INSERT INTO keyed VALUES (1), (1);",
    2812: "EXEC no_such_procedure;",
    8134: "SELECT 1 / 0;",
    50000: "RAISERROR('said by the script', 16, 1);",
}
_TABLES = (
    "CREATE TABLE done (a int NOT NULL); CREATE TABLE checked (a int CHECK (a > 0));"
    "CREATE TABLE keyed (a int PRIMARY KEY); CREATE TABLE single (a int); CREATE UNIQUE INDEX one ON single (a);"
)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(availability, "_FIRST_PAUSE", 0.1)


@pytest.fixture(scope="module")
def shared_database(new_database: Callable[[], str], server: LiveServer) -> str:
    """One database for all numbers: making one for each takes longer than all the rest."""
    name = new_database()
    server.execute(_TABLES, name)
    return name


@pytest.fixture
def run_of(new_run: NewRun, shared_database: str, server: LiveServer) -> Iterator[Callable[..., Run]]:
    yield lambda command=SCRIPT: new_run(command, databases=[shared_database])
    server.execute("DELETE FROM done", shared_database)


def done(server: LiveServer, run: Run) -> int:
    ((count,),) = server.execute("SELECT COUNT(*) FROM done", run.databases[0])
    return int(str(count))


def row(run: Run) -> Any:
    (found,) = run.job_database.run(_ROW, run=run.job_execution_id)
    return found


@pytest.mark.sandbox_only  # Babelfish answers most of these errors with a number of its own
@pytest.mark.parametrize("number", sorted(ERROR_CLASSES[ErrorClass.SCRIPT]))
def test_faults_of_the_script_are_terminal(run_of: Callable[..., Run], server: LiveServer, number: int) -> None:
    run = run_of(PROVOKED[number])
    result = run.execution(retry=TRANSIENT).run()
    assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
    assert (row(run).outcome, row(run).error_number) == ("failed", number)
    assert DEFAULT_ERRORS.classify(number) is ErrorClass.SCRIPT


@pytest.mark.sandbox_only
class TestOnceTheScriptWasSent:
    """A statement is refused with the number, once."""

    @pytest.mark.parametrize("number", NUMBERS)
    def test_retried_as_transient_or_terminal(
        self, run_of: Callable[..., Run], server: LiveServer, sandbox: SandboxClient, number: int
    ) -> None:
        run = run_of()
        sandbox.add_fault("error", database=run.databases[0], containing="INSERT INTO done", number=number)
        result = run.execution(retry=TRANSIENT).run()
        passes = DEFAULT_ERRORS.classify(number).is_transient
        expected = (Lifecycle.SUCCEEDED, 2) if passes else (Lifecycle.FAILED, 1)
        assert (result.lifecycle, result.attempts) == expected
        assert done(server, run) == int(passes)
        assert row(run).error_number == (None if passes else number)

    @pytest.mark.parametrize("number", NUMBERS)
    def test_every_one_is_retried_by_default(
        self, run_of: Callable[..., Run], server: LiveServer, sandbox: SandboxClient, number: int
    ) -> None:
        run = run_of()
        sandbox.add_fault("error", database=run.databases[0], containing="INSERT INTO done", number=number)
        result = run.execution().run()
        assert (result.lifecycle, result.attempts, done(server, run)) == (Lifecycle.SUCCEEDED, 2, 1)


@pytest.mark.sandbox_only
class TestAtLogin:
    """The login is refused with the number, once: nothing has been sent."""

    @pytest.mark.parametrize("number", NUMBERS)
    def test_waited_for_or_retried_or_terminal(
        self, run_of: Callable[..., Run], server: LiveServer, sandbox: SandboxClient, number: int
    ) -> None:
        run = run_of()
        sandbox.add_fault("login_error", database=run.databases[0], number=number)
        result = run.execution(retry=TRANSIENT).run()
        error_class = DEFAULT_ERRORS.classify(number, connecting=True)
        if error_class in (ErrorClass.UNAVAILABLE, ErrorClass.DATABASE_MISSING) or number == FALSE_LOGIN_FAILURE:
            expected = (Lifecycle.SUCCEEDED, 1)
        else:
            expected = (Lifecycle.SUCCEEDED, 2) if error_class.is_transient else (Lifecycle.FAILED, 1)
        assert (result.lifecycle, result.attempts) == expected
        assert done(server, run) == int(result.lifecycle is Lifecycle.SUCCEEDED)

    def test_no_answer_at_all_is_retried(
        self, run_of: Callable[..., Run], server: LiveServer, sandbox: SandboxClient
    ) -> None:
        run = run_of()
        sandbox.add_fault("login_dropped", database=run.databases[0])
        result = run.execution(retry=TRANSIENT).run()
        assert (result.lifecycle, result.attempts, done(server, run)) == (Lifecycle.SUCCEEDED, 2, 1)


@pytest.mark.sandbox_only
class TestOverrides:
    """What a connection's ``error_classes`` change."""

    @pytest.mark.parametrize(("name", "attempts"), [("throttled", 2), ("script", 1)])
    def test_a_number_is_what_the_connection_says(
        self, run_of: Callable[..., Run], sandbox: SandboxClient, name: str, attempts: int
    ) -> None:
        run = run_of()
        sandbox.add_fault("error", database=run.databases[0], containing="INSERT INTO done", number=50123)
        result = run.execution(retry=TRANSIENT, errors=ErrorTable.overridden({name: [50123]})).run()
        assert result.attempts == attempts

    def test_a_number_can_be_waited_for(self, run_of: Callable[..., Run], sandbox: SandboxClient) -> None:
        run = run_of()
        sandbox.add_fault("login_error", database=run.databases[0], number=18470)
        result = run.execution(retry=TRANSIENT, errors=ErrorTable.overridden({"unavailable": [18470]})).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.SUCCEEDED, 1)


class TestNamedNumbers:
    """``retry_on`` as a tuple of numbers."""

    def test_a_named_number_is_retried(self, run_of: Callable[..., Run]) -> None:
        run = run_of("SELECT 1 / 0;")
        result = run.execution(retry=replace(QUICK, retry_on=(8134,))).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 3)

    def test_another_is_not(self, run_of: Callable[..., Run]) -> None:
        run = run_of("SELECT 1 / 0;")
        result = run.execution(retry=replace(QUICK, retry_on=(208, 1205))).run()
        assert (result.lifecycle, result.attempts) == (Lifecycle.FAILED, 1)
