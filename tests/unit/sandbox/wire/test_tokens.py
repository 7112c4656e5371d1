from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.sandbox.engine.interface import ServerMessage
from airflow_provider_elasticjobs.sandbox.wire import tokens
from tests.unit.sandbox.wire.token_stream import Change, Told, read_tokens


@pytest.mark.parametrize(("severity", "kind"), [(0, "info"), (10, "info"), (11, "error"), (20, "error")])
def test_severity_decides_between_message_and_error(severity: int, kind: str) -> None:
    (told,) = read_tokens(tokens.message(ServerMessage(50_000, severity, 1, "text"), "srv"))
    assert told == Told(kind, 50_000, severity, "text", "srv")


def test_text_outside_the_basic_plane_keeps_what_follows_readable() -> None:
    both = tokens.message(ServerMessage(1, 0, 1, "😀"), "sérveur😀") + tokens.done(tokens.DoneKind.DONE, 0)
    told, _ = read_tokens(both)
    assert told == Told("info", 1, 0, "😀", "sérveur😀")


def test_a_message_too_long_for_a_token_is_cut() -> None:
    (told,) = read_tokens(tokens.message(ServerMessage(1, 16, 1, "x" * 100_000), "srv"))
    assert isinstance(told, Told)
    assert len(told.text) == tokens.LONGEST_MESSAGE


def test_a_transaction_carries_its_descriptor_as_new_or_old_value() -> None:
    began = tokens.transaction_change(tokens.EnvironmentChange.BEGIN_TRANSACTION, b"12345678")
    ended = tokens.transaction_change(tokens.EnvironmentChange.COMMIT_TRANSACTION, b"12345678")
    assert read_tokens(began + ended) == [Change(8, b"\x0812345678\x00"), Change(9, b"\x00\x0812345678")]


def test_federated_acknowledgement_echoes_the_nonce() -> None:
    assert tokens.federated_acknowledged(b"") == b"\xae\x02\x00\x00\x00\x00\xff"
    assert tokens.federated_acknowledged(b"n" * 32) == b"\xae\x02\x20\x00\x00\x00" + b"n" * 32 + b"\xff"
