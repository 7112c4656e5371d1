from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.sandbox.faults import Fault, FaultBoard, FaultKind


def kinds(faults: list[Fault]) -> list[str]:
    return [fault.kind.value for fault in faults]


@pytest.fixture
def board() -> FaultBoard:
    return FaultBoard()


def test_text_is_taken_for_a_kind() -> None:
    assert Fault("deadlock").kind is FaultKind.DEADLOCK  # type: ignore[arg-type]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="meteor"):
        Fault("meteor")  # type: ignore[arg-type]


def test_a_fault_strikes_as_often_as_it_was_told(board: FaultBoard) -> None:
    number = board.add(Fault(FaultKind.DEADLOCK, times=2))
    struck = [kinds(board.strike_batch("s", "d", "x")) for _ in range(3)]
    assert struck == [["deadlock"], ["deadlock"], []]
    assert board.remove(number) is False


def test_a_fault_for_ever_strikes_until_it_is_removed(board: FaultBoard) -> None:
    number = board.add(Fault(FaultKind.DEADLOCK, times=None))
    assert all(board.strike_batch("s", "d", "x") for _ in range(50))
    assert board.remove(number)
    assert board.strike_batch("s", "d", "x") == []


@pytest.mark.parametrize(
    ("fault", "is_hit"),
    [
        (Fault(FaultKind.DEADLOCK, server="SRV"), True),
        (Fault(FaultKind.DEADLOCK, server="other"), False),
        (Fault(FaultKind.DEADLOCK, database="DB"), True),
        (Fault(FaultKind.DEADLOCK, database="other"), False),
        (Fault(FaultKind.DEADLOCK, containing="INSERT into"), True),
        (Fault(FaultKind.DEADLOCK, containing="delete"), False),
        (Fault(FaultKind.LOGIN_REFUSED), False),
    ],
)
def test_what_a_fault_concerns(board: FaultBoard, fault: Fault, is_hit: bool) -> None:
    board.add(fault)
    assert bool(board.strike_batch("srv", "db", "insert INTO t")) is is_hit
    assert bool(board.pending()) is not is_hit


@pytest.mark.parametrize(
    ("database", "asked", "is_hit"), [("master", None, True), ("db", None, False), ("db", "DB", True)]
)
def test_a_login_without_a_database_goes_to_master(
    board: FaultBoard, database: str, asked: str | None, is_hit: bool
) -> None:
    board.add(Fault(FaultKind.FIREWALL, database=database))
    assert bool(board.strike_login("srv", asked)) is is_hit


def test_a_login_is_not_hit_by_faults_of_batches(board: FaultBoard) -> None:
    board.add(Fault(FaultKind.DEADLOCK))
    assert board.strike_login("srv", None) == []


def test_delays_come_first_and_only_one_other_fault_strikes(board: FaultBoard) -> None:
    for kind in (FaultKind.DEADLOCK, FaultKind.THROTTLED, FaultKind.SLOW):
        board.add(Fault(kind))
    assert kinds(board.strike_batch("s", "d", "x")) == ["slow", "deadlock"]
    assert kinds(board.strike_batch("s", "d", "x")) == ["throttled"]


def test_requests_without_text_are_hit_only_by_name(board: FaultBoard) -> None:
    board.add(Fault(FaultKind.DEADLOCK))
    board.add(Fault(FaultKind.THROTTLED, containing="commit"))
    assert kinds(board.strike_batch("s", "d", "COMMIT", only_named=True)) == ["throttled"]
    assert board.strike_batch("s", "d", "COMMIT", only_named=True) == []


def test_clearing_one_server_leaves_the_others(board: FaultBoard) -> None:
    board.add(Fault(FaultKind.DEADLOCK, server="a"))
    board.add(Fault(FaultKind.DEADLOCK, server="b"))
    board.clear("A")
    assert [fault.server for fault in board.pending().values()] == ["b"]
    board.clear()
    assert board.pending() == {}


@pytest.mark.parametrize(
    ("kind", "number", "said"),
    [
        (FaultKind.LOGIN_REFUSED, 18456, "user 'sa'"),
        (FaultKind.DATABASE_UNAVAILABLE, 40613, "Database 'db' on server 'srv' is not currently available"),
        (FaultKind.UNKNOWN_DATABASE, 4060, '"db"'),
        (FaultKind.FIREWALL, 40615, "server 'srv'"),
        (FaultKind.THROTTLED, 40501, "currently busy"),
        (FaultKind.DEADLOCK, 1205, "Process ID 51"),
    ],
)
def test_messages_in_the_servers_words(kind: FaultKind, number: int, said: str) -> None:
    message = Fault(kind).message(server="srv.database.windows.net", database="db", user="sa", session_id=51)
    assert message.number == number
    assert said in message.text
    assert "{" not in message.text.replace("{00000000", "")


def test_an_error_says_what_it_was_told_to() -> None:
    fault = Fault(FaultKind.ERROR, number=42, severity=20, text="{as} is")
    message = fault.message(server="s", database="d", user="u", session_id=1)
    assert (message.number, message.severity, message.text) == (42, 20, "{as} is")
