"""The commands that look at runs and jobs, over fakes of what they read."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException

from airflow_provider_elasticjobs.cli import airflow_connection, executions, job_database, jobs, reconcile, targets
from airflow_provider_elasticjobs.cli.output import show, show_json
from airflow_provider_elasticjobs.exceptions import JobDatabaseError, TargetGroupError
from airflow_provider_elasticjobs.execution.reconcile import Reconciliation, Unanswered
from airflow_provider_elasticjobs.job_database import attempt_history, catalog, history, install
from airflow_provider_elasticjobs.job_database.attempt_history import AttemptRow, MessageRow
from airflow_provider_elasticjobs.job_database.catalog import JobRow, JobStepRow
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import ExecutionRow
from airflow_provider_elasticjobs.job_database.records import Leftover, LostScript
from airflow_provider_elasticjobs.model.job import JobStep
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlServer, Target, TargetGroup
from airflow_provider_elasticjobs.operators.target_group import ResolveTargetGroupOperator
from airflow_provider_elasticjobs.targets.resolve import NotOnline, Resolution
from airflow_provider_elasticjobs.task_groups.elastic_job import ElasticJob

RUN = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
NOW = datetime(2026, 1, 2, 3, 4, 5, 600000)  # noqa: DTZ001 as the driver gives it
Capture = pytest.CaptureFixture[str]


def arguments(**values: Any) -> Namespace:
    given = {"conn_id": "rows", "output": "table", "verbose": False, "job_execution_id": RUN, "conf": {}}
    return Namespace(**{**given, "elasticjobs_conn_id": "elasticjobs_default", **values})


def row(
    lifecycle: Lifecycle = Lifecycle.FAILED, step_id: int | None = None, database: str | None = None
) -> ExecutionRow:
    return ExecutionRow(
        job_execution_id=RUN,
        job_name="Job1",
        job_version=3,
        step_id=step_id,
        step_name=None if step_id is None else "first",
        lifecycle=lifecycle,
        create_time=NOW,
        start_time=NOW,
        end_time=None,
        current_attempts=0,
        last_message="[Microsoft][ODBC Driver 18] said no",
        target_type=None,
        target_group_name=None,
        target_server_name=database and "s",
        target_database_name=database,
        target_elastic_pool_name=None,
    )


def attempt(number: int, outcome: str | None = None) -> AttemptRow:
    ended = (None, None) if outcome is None else (NOW, 1500)
    return AttemptRow(
        *(1, "s", "d1", 0, number, NOW, *ended, outcome, None, "no", "dag", "run", "job.run", 3, 1),
    )


def said(number: int) -> MessageRow:
    return MessageRow(1, "s", "d1", 0, number, 1, "message", 0, 0, 1, 1, None, None, "hello")


def refuse() -> Any:
    raise AssertionError("nothing connects here")


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> JobDatabase:
    """The job database that every command opens; nothing is asked of it."""
    made = JobDatabase(refuse, server="jobs.example", database="jobdb")
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")
    monkeypatch.setattr(airflow_connection, "connection_settings", lambda conn_id: conn_id)
    monkeypatch.setattr(job_database, "open_job_database", lambda _: made)
    return made


class TestTheWayIn:
    def run(self, error: Exception) -> None:
        with job_database.job_database_of(arguments()):
            raise error

    def test_an_absent_connection_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def absent(conn_id: str) -> Any:
            raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")

        monkeypatch.setattr(airflow_connection, "connection_settings", absent)
        with pytest.raises(SystemExit, match=r"`rows` isn't defined: add the connection, or name another"):
            executions.list_executions(arguments(job=None, active=False, limit=20))

    def test_an_error_of_ours_is_its_text(self) -> None:
        with pytest.raises(SystemExit, match="no route to jobs"):
            self.run(JobDatabaseError("no route to jobs"))

    def test_a_database_without_the_schema_says_what_to_do(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(install, "current_version", lambda _: 0)
        with pytest.raises(SystemExit, match=r"jobs\.example/jobdb is not installed .* db upgrade"):
            self.run(JobDatabaseError("Invalid object name", number=208))

    def test_one_that_has_it_says_what_the_engine_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(install, "current_version", lambda _: 2)
        with pytest.raises(SystemExit, match="permission was denied"):
            self.run(JobDatabaseError("permission was denied", number=229))

    def test_other_errors_are_not_hidden(self) -> None:
        with pytest.raises(KeyError):
            self.run(KeyError("a bug"))


class TestOutput:
    def test_json_keeps_types_and_spells_ids_and_times(self, capsys: Capture) -> None:
        show([{"id": RUN, "count": 3, "when": NOW, "none": None, "lifecycle": Lifecycle.FAILED}], "json")
        assert json.loads(capsys.readouterr().out) == [
            {"id": str(RUN), "count": 3, "when": "2026-01-02T03:04:05.600000Z", "none": None, "lifecycle": "Failed"}
        ]

    def test_a_table_shows_brackets_as_they_are(self, capsys: Capture) -> None:
        show([{"message": "[Microsoft][ODBC]", "when": NOW, "none": None}], "table")
        out = capsys.readouterr().out
        assert "[Microsoft][ODBC]" in out
        assert "2026-01-02 03:04:05" in out
        assert "None" not in out

    def test_what_has_no_json_form_is_said(self) -> None:
        with pytest.raises(TypeError, match="object has no JSON form"):
            show_json(object())


class TestExecutions:
    def test_list_asks_for_what_was_said(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        asked: list[dict[str, Any]] = []

        def latest(_: object, **options: Any) -> list[ExecutionRow]:
            asked.append(options)
            return [row(Lifecycle.SUCCEEDED)]

        monkeypatch.setattr(history, "latest_runs", latest)
        executions.list_executions(arguments(job="Job1", active=True, limit=5))
        assert asked == [{"job_name": "Job1", "only_active": True, "count": 5}]
        out = capsys.readouterr().out
        assert str(RUN) in out
        assert "Succeeded" in out
        executions.list_executions(arguments(job=None, active=False, limit=5, output="json"))
        assert json.loads(capsys.readouterr().out)[0]["job_version"] == 3

    def test_show_has_a_line_for_each_row(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        rows = [row(), row(step_id=1), row(step_id=1, database="d1")]
        monkeypatch.setattr(history, "executions", lambda *_: rows)
        monkeypatch.setattr(attempt_history, "attempts", lambda *_: [attempt(1, "failed"), attempt(2)])
        monkeypatch.setattr(attempt_history, "messages", lambda *_: [said(1), said(2)])
        executions.show_execution(arguments(messages=False))
        out = capsys.readouterr().out
        assert all(text in out for text in ("job Job1", "step first", "s/d1", "[ODBC Driver 18]", "failed", "running"))
        assert "hello" not in out
        executions.show_execution(arguments(messages=True))
        assert "hello" in capsys.readouterr().out

    def test_show_as_json_nests_attempts_and_messages(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        rows = [row(), row(step_id=1), row(step_id=1, database="d1"), row(step_id=1, database="d2")]
        monkeypatch.setattr(history, "executions", lambda *_: rows)
        monkeypatch.setattr(attempt_history, "attempts", lambda *_: [attempt(1, "failed"), attempt(2)])
        monkeypatch.setattr(attempt_history, "messages", lambda *_: [said(1)])
        executions.show_execution(arguments(messages=False, output="json"))
        job, step, one, two = json.loads(capsys.readouterr().out)
        assert "attempts" not in job.keys() | step.keys()
        assert [(each["attempt"], each["outcome"]) for each in one["attempts"]] == [(1, "failed"), (2, None)]
        assert two["attempts"] == []
        assert "messages" not in one["attempts"][0]
        executions.show_execution(arguments(messages=True, output="json"))
        first, second = json.loads(capsys.readouterr().out)[2]["attempts"]
        assert [each["text"] for each in first["messages"]] == ["hello"]
        assert second["messages"] == []
        assert not {"target_database_name", "step_id"} & (first.keys() | first["messages"][0].keys())

    def test_stop_says_how_it_stands(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        asked: list[str] = []

        def cancel(_: object, run: UUID, *, requested_by: str) -> Lifecycle:
            asked.append(requested_by)
            return Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS

        monkeypatch.setattr(history, "job_lifecycle", lambda *_: Lifecycle.IN_PROGRESS)
        monkeypatch.setattr(executions, "cancel_execution", cancel)
        executions.stop(arguments())
        assert "is asked to stop; it is WaitingForChild" in capsys.readouterr().out
        assert asked[0].startswith("airflow elasticjobs executions stop, by ")
        executions.stop(arguments(output="json"))
        assert json.loads(capsys.readouterr().out)["requested"] is True

    def test_stop_of_what_has_ended_changes_nothing(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        monkeypatch.setattr(history, "job_lifecycle", lambda *_: Lifecycle.SUCCEEDED)
        monkeypatch.setattr(executions, "cancel_execution", lambda *_, **__: Lifecycle.SUCCEEDED)
        executions.stop(arguments())
        assert "had ended: Succeeded; there is nothing to stop" in capsys.readouterr().out

    @pytest.mark.parametrize("command", [executions.show_execution, executions.stop, executions.watch])
    def test_an_unknown_run_is_one_line(
        self, command: Callable[[Namespace], None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(history, "executions", lambda *_: [])
        monkeypatch.setattr(history, "job_lifecycle", lambda *_: None)
        monkeypatch.setattr(executions, "cancel_execution", lambda *_, **__: None)
        with pytest.raises(SystemExit, match=f"There is no run {RUN}"):
            command(arguments(interval=1))


class TestWatch:
    @pytest.fixture
    def progress(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[float]]:
        """Return a function that lays down what each look sees, and returns the pauses between them."""

        def lay(*looks: tuple[Lifecycle, dict[Lifecycle, int]]) -> list[float]:
            lifecycles, counts = iter([look[0] for look in looks]), iter([look[1] for look in looks])
            pauses: list[float] = []
            monkeypatch.setattr(history, "job_lifecycle", lambda *_: next(lifecycles))
            monkeypatch.setattr(history, "count_targets", lambda *_: next(counts))
            monkeypatch.setattr(executions, "time", SimpleNamespace(sleep=pauses.append))
            return pauses

        return lay

    def test_it_says_each_change_once_and_ends_well(
        self, progress: Callable[..., list[float]], capsys: Capture
    ) -> None:
        running = {Lifecycle.CREATED: 1, Lifecycle.IN_PROGRESS: 2}
        waiting = Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS
        pauses = progress(
            (Lifecycle.IN_PROGRESS, {}),
            (waiting, running),
            (waiting, running),
            (Lifecycle.SUCCEEDED, {Lifecycle.SUCCEEDED: 3}),
        )
        executions.watch(arguments(interval=7))
        lines = [line[10:] for line in capsys.readouterr().out.splitlines()]
        assert lines == [
            "InProgress  no targets yet",
            "WaitingForChildJobExecutions  3 targets: 1 Created, 2 InProgress",
            "Succeeded  3 targets: 3 Succeeded",
        ]
        assert pauses == [7, 7, 7]

    @pytest.mark.parametrize("bad", [Lifecycle.FAILED, Lifecycle.TIMED_OUT, Lifecycle.CANCELED])
    def test_a_bad_end_is_a_bad_exit_code(
        self, bad: Lifecycle, progress: Callable[..., list[float]], capsys: Capture
    ) -> None:
        progress((bad, {bad: 1}))
        with pytest.raises(SystemExit) as ended:
            executions.watch(arguments(interval=1, output="json"))
        assert ended.value.code == 1
        seen = json.loads(capsys.readouterr().out)
        assert (seen["lifecycle"], seen["targets"]) == (str(bad), {str(bad): 1})

    def test_an_interrupt_is_no_traceback(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(history, "job_lifecycle", interrupt)
        with pytest.raises(SystemExit) as ended:
            executions.watch(arguments(interval=1))
        assert ended.value.code == 130


JOB = JobRow("Job1", RUN, 3, "about", False, "Once", 1, NOW, NOW, 1, None, None, None)
STEP = JobStepRow(1, "first", "Everyone", None, 1, 120, 2.0, 10, 43200, None, "SELECT 1;")


class TestJobs:
    def test_list(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        monkeypatch.setattr(catalog, "jobs", lambda *_: [JOB])
        jobs.list_jobs(arguments())
        assert "Job1" in capsys.readouterr().out

    def test_show_has_the_steps(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        monkeypatch.setattr(catalog, "jobs", lambda *_: [JOB])
        monkeypatch.setattr(catalog, "job_steps", lambda *_: [STEP])
        jobs.show_job(arguments(job_name="Job1"))
        assert "SELECT 1;" in capsys.readouterr().out
        jobs.show_job(arguments(job_name="Job1", output="json"))
        shown = json.loads(capsys.readouterr().out)
        assert (shown["job_version"], shown["steps"][0]["retry_attempts"]) == (3, 10)

    def test_an_unknown_job_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(catalog, "jobs", lambda *_: [])
        monkeypatch.setattr(catalog, "job_steps", lambda *_: [])
        with pytest.raises(SystemExit, match="There is no job 'nobody'"):
            jobs.show_job(arguments(job_name="nobody"))


class TestTargets:
    group = TargetGroup("Everyone", [SqlServer("s")])

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
        """Connection and group of each question; every group holds one database, and one that is away."""
        questions: list[tuple[str, str]] = []
        self.resolved: list[TargetGroup] = []

        def resolver(conn_id: str, _: object, *, render: Any) -> Callable[[TargetGroup], Resolution]:
            def resolve(written: TargetGroup) -> Resolution:
                group = written.rendered(render) if render else written
                questions.append((conn_id, group.name))
                self.resolved.append(group)
                return Resolution([Target("s", "d1", "pool1")], [NotOnline(Target("s", "d2"), "RESTORING")])

            return resolve

        monkeypatch.setattr(targets, "resolver", resolver)
        monkeypatch.setattr(catalog, "target_group", lambda _, name: self.group if name == "Everyone" else None)
        return questions

    @pytest.fixture
    def dag(self, monkeypatch: pytest.MonkeyPatch) -> DAG:
        with DAG("a_dag") as made:
            named = TargetGroup("Two", [SqlDatabase("s", "d2")])
            steps = [JobStep("one", self.group, "SELECT 1;"), JobStep("two", named, "SELECT 2;", conn_id="other")]
            ElasticJob("job", steps, refresh_conn_id=None)
            ResolveTargetGroupOperator(task_id="alone", target_group=named.to_json(), refresh_conn_id="lister")
        monkeypatch.setattr(targets, "get_bagged_dag", lambda _, name: {"a_dag": made}[name])
        return made

    def test_a_group_by_its_name(self, asked: list[tuple[str, str]], capsys: Capture) -> None:
        targets.resolve_targets(arguments(name="Everyone", dag=False, output="json"))
        assert asked == [("elasticjobs_default", "Everyone")]
        found = json.loads(capsys.readouterr().out)
        assert [(one["database_name"], one["elastic_pool_name"], one["state"]) for one in found] == [
            ("d1", "pool1", "ONLINE"),
            ("d2", None, "RESTORING"),
        ]

    @pytest.mark.usefixtures("dag")
    def test_all_groups_of_a_dag_each_with_its_tasks_connection(
        self, asked: list[tuple[str, str]], capsys: Capture
    ) -> None:
        targets.resolve_targets(arguments(name="a_dag", dag=False, output="json"))
        assert asked == [("elasticjobs_default", "Everyone"), ("other", "Two"), ("lister", "Two")]
        tasks = [one["task_id"] for one in json.loads(capsys.readouterr().out)]
        assert tasks[::2] == ["job.one.resolve", "job.two.resolve", "alone"]

    @pytest.mark.parametrize(("conf", "expected"), [({}, "the default"), ({"run": "given"}, "given")])
    def test_templates_get_the_params_of_the_dag(
        self, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, conf: dict[str, str], expected: str
    ) -> None:
        with DAG("a_dag", params={"run": "the default"}) as made:
            ElasticJob("job", [JobStep("one", TargetGroup.failed_of("{{ params.run }}"), "SELECT 1;")])
        monkeypatch.setattr(targets, "get_bagged_dag", lambda *_: made)
        targets.resolve_targets(arguments(name="a_dag", dag=True, conf=conf))
        assert self.resolved == [TargetGroup.failed_of(expected)]

    def test_a_template_that_needs_a_run_is_one_line(
        self, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with DAG("a_dag") as made:
            ElasticJob("job", [JobStep("one", TargetGroup.failed_of("{{ ti.xcom_pull('x') }}"), "SELECT 1;")])
        monkeypatch.setattr(targets, "get_bagged_dag", lambda *_: made)
        with pytest.raises(SystemExit, match="a template of its target group: 'ti' is undefined"):
            targets.resolve_targets(arguments(name="a_dag", dag=True))

    def test_neither_a_group_nor_a_dag(self, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(*_: object) -> Any:
            raise AirflowException("Dag 'nobody' could not be found")

        monkeypatch.setattr(targets, "get_bagged_dag", missing)
        with pytest.raises(SystemExit, match=r"no target group 'nobody' .* could not be found"):
            targets.resolve_targets(arguments(name="nobody", dag=False))

    def test_a_dag_without_elastic_jobs(self, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(targets, "get_bagged_dag", lambda *_: DAG("plain"))
        with pytest.raises(SystemExit, match="DAG 'Everyone' has no task that resolves"):
            targets.resolve_targets(arguments(name="Everyone", dag=True))

    @pytest.mark.parametrize(
        ("error", "text"),
        [
            (TargetGroupError("s did not answer"), "s did not answer"),
            (AirflowNotFoundException("no lister"), "no lister: add the connection"),
        ],
    )
    def test_what_cannot_be_asked_is_one_line(
        self, error: Exception, text: str, asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> Any:
            raise error

        monkeypatch.setattr(targets, "resolver", fail)
        with pytest.raises(SystemExit, match=text):
            targets.resolve_targets(arguments(name="Everyone", dag=False))


class TestReconcile:
    script = LostScript(RUN, RUN, RUN, RUN, 1, "first", Target("s", "d1"))
    options = {"expiry": 60.0, "settle_unanswered": False}  # noqa: RUF012 read only

    def run(self, monkeypatch: pytest.MonkeyPatch, found: Reconciliation, output: str = "json") -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = []

        def settle(_: object, __: object, **options: Any) -> Reconciliation:
            asked.append(options)
            return found

        monkeypatch.setattr(reconcile, "reconcile", settle)
        reconcile.reconcile_executions(arguments(output=output, **self.options))
        return asked

    def test_it_says_what_became_of_each_row(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        found = Reconciliation(
            [Leftover(RUN, RUN, 1, "s", "d0", Lifecycle.FAILED)], [self.script], [Unanswered(self.script, "no route")]
        )
        (asked,) = self.run(monkeypatch, found)
        assert asked == {"job_execution_id": RUN, "expiry_seconds": 60, "settle_unanswered": False}
        rows = json.loads(capsys.readouterr().out)
        assert [(one["database_name"], one["result"]) for one in rows] == [
            ("d0", "ended: Failed"),
            ("d1", "still runs on the server"),
            ("d1", "not asked: no route"),
        ]

    def test_nothing_left_is_said(self, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
        self.run(monkeypatch, Reconciliation(), "table")
        assert capsys.readouterr().out == "Nothing was left behind\n"
        self.run(monkeypatch, Reconciliation())
        assert json.loads(capsys.readouterr().out) == []
