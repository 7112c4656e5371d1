from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.exceptions import (
    DefinitionError,
    FirewallError,
    LoginFailedError,
    OutcomeUnknownError,
    ScriptCancelledError,
    ScriptError,
    ServerUnreachableError,
    TargetConnectionError,
)
from airflow_provider_elasticjobs.tsql.error_numbers import ERROR_CLASSES, ErrorClass, classify, is_transient
from airflow_provider_elasticjobs.tsql.errors import is_transient_error


def test_no_number_stands_in_two_classes() -> None:
    numbers = [number for members in ERROR_CLASSES.values() for number in members]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("number", [701, 1205, 1222, 3960, 10928, 40197, 40501, 40613, 41302, 49918])
def test_passing_faults_are_transient(number: int) -> None:
    assert is_transient(number)


@pytest.mark.parametrize("number", [102, 208, 229, 547, 911, 2627, 4060, 8134, 9002, 18456, 40544, 40615, 50000, 99999])
def test_lasting_faults_are_not_transient(number: int) -> None:
    assert not is_transient(number)


@pytest.mark.parametrize("number", [20, 64, 233, 10053, 10054, 10060])
def test_transport_numbers_mean_transport_only_while_connecting(number: int) -> None:
    assert classify(number, connecting=True) is ErrorClass.TRANSPORT
    assert classify(number) is ErrorClass.SCRIPT  # 233 from the engine: a column does not allow NULL


def test_no_number_is_transient_only_while_connecting() -> None:
    assert is_transient(None, connecting=True)
    assert not is_transient(None)


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ScriptError("x", number=1205), True),
        (ScriptError("x", number=8134), False),
        (OutcomeUnknownError("x"), True),
        (ServerUnreachableError("x"), True),
        (TargetConnectionError("x", number=40613), True),
        (TargetConnectionError("x"), False),
        (LoginFailedError("x", number=18456), False),
        (FirewallError("x", number=40615), False),
        (ScriptCancelledError("x"), False),
        (DefinitionError("x"), False),
        (ValueError("x"), False),
    ],
)
def test_errors_of_the_tree_are_judged_by_kind_and_number(error: Exception, transient: bool) -> None:
    assert is_transient_error(error) is transient
