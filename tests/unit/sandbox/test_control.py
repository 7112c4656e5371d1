from __future__ import annotations

from collections.abc import Sequence

import pytest

from airflow_provider_elasticjobs.sandbox.access_tokens import AccessTokens
from airflow_provider_elasticjobs.sandbox.activity import Activity
from airflow_provider_elasticjobs.sandbox.control import BadCallError, Control, parse_call
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ServerMessage, SqlType
from airflow_provider_elasticjobs.sandbox.faults import Fault, FaultBoard, FaultKind


class Sink:
    """Keeps what a procedure gives."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: list[dict[str, object]] = []
        self.errors: list[ServerMessage] = []
        self.dones = 0

    def columns(self, columns: Sequence[Column]) -> None:
        self.names = [column.name for column in columns]

    def row(self, values: Sequence[object]) -> None:
        self.rows.append(dict(zip(self.names, values, strict=True)))

    def done(self, row_count: int | None, statement: str) -> None:
        self.dones += 1

    def message(self, message: ServerMessage) -> None:
        raise AssertionError(message)

    def error(self, message: ServerMessage) -> None:
        self.errors.append(message)

    def return_status(self, value: int) -> None:
        raise AssertionError(value)

    def output_parameter(self, name: str, type: SqlType, value: object) -> None:  # noqa: A002
        raise AssertionError(name)


class Server:
    """What the procedures see of a logical server."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.activity = Activity()
        self.tokens = AccessTokens({})
        self.databases: list[tuple[str, str | None, str]] = []

    def create_database(self, name: str, *, elastic_pool: str | None = None, state: str = "ONLINE") -> None:
        if name == "taken":
            raise sql_error(1801, name)
        self.databases.append((name, elastic_pool, state))


class Setting:
    """A control over two servers."""

    def __init__(self) -> None:
        self.here, self.there = Server("here"), Server("There")
        self.faults = FaultBoard()
        self.control = Control({"here": self.here, "there": self.there}, self.faults)

    def run(self, sql: str, *parameters: Parameter) -> Sink:
        sink = Sink()
        assert self.control.run_batch("here", sql, parameters, sink)
        return sink


@pytest.fixture
def setting() -> Setting:
    return Setting()


@pytest.mark.parametrize(
    ("sql", "call"),
    [
        ("EXEC sandbox.sp_faults", ("sp_faults", {})),
        (" execute [sandbox] . [SP_Faults] ; ", ("sp_faults", {})),
        (
            "EXEC sandbox.sp_x @a = N'it''s, here', @B=-2, @c = 1.5, @d = NULL",
            ("sp_x", {"a": "it's, here", "b": -2, "c": 1.5, "d": None}),
        ),
        ("SELECT 1", None),
        ("EXEC dbo.sp_faults", None),
        ("SELECT 1; EXEC sandbox.sp_faults", None),
    ],
)
def test_batches_that_call(sql: str, call: object) -> None:
    assert parse_call(sql) == call


def test_variables_take_their_values_from_the_parameters() -> None:
    parameters = [Parameter("@P1", SqlType("int"), 7)]
    assert parse_call("EXEC sandbox.sp_x @a = @p1", parameters) == ("sp_x", {"a": 7})


@pytest.mark.parametrize("arguments", ["'by position'", "@a = (1)", "@a = @unknown", "@a = 1 @b = 2", "@a"])
def test_arguments_that_cannot_be_read(arguments: str) -> None:
    with pytest.raises(BadCallError):
        parse_call(f"EXEC sandbox.sp_x {arguments}")


def test_another_batch_is_left_to_the_engine(setting: Setting) -> None:
    assert not setting.control.run_batch("here", "SELECT 1", (), Sink())


def test_a_fault_holds_for_this_server_once(setting: Setting) -> None:
    ((number,),) = [row.values() for row in setting.run("EXEC sandbox.sp_add_fault @kind = 'deadlock'").rows]
    assert setting.faults.pending() == {number: Fault(FaultKind.DEADLOCK, server="here")}


def test_a_fault_with_everything(setting: Setting) -> None:
    setting.run(
        "EXEC sandbox.sp_add_fault @kind = 'error', @server = 'THERE', @database = 'db', @times = 0, "
        "@containing = N'x', @number = 42, @severity = 20, @text = 'said', @seconds = 2, @rows = 3"
    )
    (fault,) = setting.faults.pending().values()
    assert fault == Fault(FaultKind.ERROR, "There", "db", None, "x", 2.0, 3, 42, 20, "said")


def test_a_fault_for_all_servers(setting: Setting) -> None:
    setting.run("EXEC sandbox.sp_add_fault @kind = 'slow', @server = '*'")
    assert [fault.server for fault in setting.faults.pending().values()] == [None]


def test_faults_are_listed_removed_and_cleared(setting: Setting) -> None:
    assert setting.run("EXEC sandbox.sp_faults").names[:3] == ["fault_id", "kind", "server"]
    setting.run("EXEC sandbox.sp_add_fault @kind = 'slow', @times = 0")
    setting.run("EXEC sandbox.sp_add_fault @kind = 'deadlock', @server = 'there'")
    rows = setting.run("EXEC sandbox.sp_faults").rows
    assert [(row["kind"], row["times"]) for row in rows] == [("slow", 0), ("deadlock", 1)]
    setting.run(f"EXEC sandbox.sp_remove_fault @fault_id = {rows[0]['fault_id']}")
    assert len(setting.faults.pending()) == 1
    setting.run("EXEC sandbox.sp_clear_faults @server = 'here'")
    assert len(setting.faults.pending()) == 1
    setting.run("EXEC sandbox.sp_clear_faults")
    assert not setting.faults.pending()


@pytest.mark.parametrize(
    ("sql", "number", "said"),
    [
        ("EXEC sandbox.sp_create_database @name = 'taken'", 1801, "taken"),
        ("EXEC sandbox.sp_nothing", 2812, "sandbox.sp_nothing"),
        ("EXEC sandbox.sp_add_fault", 201, "@kind"),
        ("EXEC sandbox.sp_add_fault @kind = 'meteor'", 201, "meteor"),
        ("EXEC sandbox.sp_add_fault @kind = 'slow', @colour = 1", 201, "colour"),
        ("EXEC sandbox.sp_add_fault @kind = 'slow', @times = 'often'", 201, "often"),
        ("EXEC sandbox.sp_add_fault 'slow'", 201, "@name"),
        ("EXEC sandbox.sp_counters @server = 'nowhere'", 201, "nowhere"),
    ],
)
def test_mistakes_are_errors(setting: Setting, sql: str, number: int, said: str) -> None:
    (error,) = setting.run(sql).errors
    assert (error.number, error.severity) == (number, 16)
    assert said in error.text


def test_counters_of_this_server_or_all(setting: Setting) -> None:
    setting.there.activity.login_succeeded()
    assert [row["server"] for row in setting.run("EXEC sandbox.sp_counters").rows] == ["here"]
    everywhere = setting.run("EXEC sandbox.sp_counters @server = '*'").rows
    assert [(row["server"], row["logins"]) for row in everywhere] == [("here", 0), ("There", 1)]
    setting.run("EXEC sandbox.sp_reset_counters")
    assert setting.there.activity.counters().logins == 0


def test_statements_and_their_peak(setting: Setting) -> None:
    for text in ("SELECT 1", "INSERT"):
        setting.there.activity.begin(session_id=51, database="db", application_name="app", text=text)
    rows = setting.run("EXEC sandbox.sp_statements @server = 'there', @containing = 'select'").rows
    assert [(row["text"], row["outcome"], row["ended"]) for row in rows] == [("SELECT 1", "running", None)]
    assert setting.run("EXEC sandbox.sp_peak_running @server = 'there', @database = 'db'").rows == [{"peak_running": 2}]
    assert setting.run("EXEC sandbox.sp_statements").rows == []


def test_a_database_is_made(setting: Setting) -> None:
    setting.run("EXEC sandbox.sp_create_database @name = 'd1', @elastic_pool = 'p', @server = 'there'")
    setting.run("EXEC sandbox.sp_create_database @name = 'd2', @state = 'OFFLINE'")
    assert setting.there.databases == [("d1", "p", "ONLINE")]
    assert setting.here.databases == [("d2", None, "OFFLINE")]


def test_tokens_are_set_and_expired(setting: Setting) -> None:
    setting.run("EXEC sandbox.sp_set_token @token = 't', @user = 'anna'")
    assert setting.here.tokens.user("t") == "anna"
    setting.run("EXEC sandbox.sp_expire_token @token = 't'")
    assert setting.here.tokens.user("t") is None


def test_a_call_by_name_takes_named_arguments(setting: Setting) -> None:
    sink = Sink()
    arguments = [Parameter("@Kind", SqlType("nvarchar", length=20), "deadlock")]
    assert setting.control.owns("sandbox.sp_add_fault")
    setting.control.call("here", "sp_add_fault", arguments, sink)
    assert len(setting.faults.pending()) == 1
    assert not setting.control.owns("dbo.sp_add_fault")
