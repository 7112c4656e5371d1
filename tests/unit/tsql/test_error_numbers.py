from __future__ import annotations

from typing import Any

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
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ERROR_CLASSES, ErrorClass, ErrorTable
from airflow_provider_elasticjobs.tsql.errors import is_transient_error


def test_no_number_stands_in_two_classes() -> None:
    numbers = [number for members in ERROR_CLASSES.values() for number in members]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("number", [701, 1205, 1222, 3960, 10928, 40197, 40501, 40613, 41302, 49918])
def test_passing_faults_are_transient(number: int) -> None:
    assert DEFAULT_ERRORS.is_transient(number)


@pytest.mark.parametrize("number", [102, 208, 229, 547, 911, 2627, 4060, 8134, 9002, 18456, 40544, 40615, 50000, 99999])
def test_lasting_faults_are_not_transient(number: int) -> None:
    assert not DEFAULT_ERRORS.is_transient(number)


@pytest.mark.parametrize("number", [20, 64, 233, 10053, 10054, 10060])
def test_transport_numbers_mean_transport_only_while_connecting(number: int) -> None:
    assert DEFAULT_ERRORS.classify(number, connecting=True) is ErrorClass.TRANSPORT
    assert DEFAULT_ERRORS.classify(number) is ErrorClass.SCRIPT  # 233 from the engine: a column does not allow NULL


def test_no_number_is_transient_only_while_connecting() -> None:
    assert DEFAULT_ERRORS.is_transient(None, connecting=True)
    assert not DEFAULT_ERRORS.is_transient(None)


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


class TestOverrides:
    TABLE = ErrorTable.overridden({"throttled": [50123], "Script": [1205], "unavailable": (64,)})

    def test_numbers_move_to_the_class_that_is_named(self) -> None:
        assert self.TABLE.classify(50123) is ErrorClass.THROTTLED
        assert self.TABLE.classify(1205) is ErrorClass.SCRIPT
        assert self.TABLE.classify(64, connecting=True) is ErrorClass.UNAVAILABLE
        assert is_transient_error(ScriptError("x", number=50123), self.TABLE)
        assert not is_transient_error(ScriptError("x", number=1205), self.TABLE)

    def test_all_others_stay(self) -> None:
        assert self.TABLE.classify(3960) is ErrorClass.CONCURRENCY
        assert DEFAULT_ERRORS.classify(1205) is ErrorClass.CONCURRENCY

    def test_equal_overrides_make_equal_tables(self) -> None:
        assert ErrorTable.overridden({"quota": [2, 1]}) == ErrorTable.overridden({"QUOTA": [1, 2]})
        assert hash(self.TABLE) == hash(
            ErrorTable.overridden({"unavailable": [64], "script": [1205], "throttled": [50123]})
        )

    @pytest.mark.parametrize(
        ("classes", "told"),
        [
            ({"busy": [1]}, "no class of errors called 'busy'; there are throttled, "),
            ({"quota": []}, "class 'quota': a list of error numbers is needed"),
            ({"quota": "40501"}, "list of error numbers"),
            ({"quota": ["40501"]}, "list of error numbers"),
            ({"quota": [0]}, "list of error numbers"),
            ({"quota": [True]}, "list of error numbers"),
            ({"quota": 5}, "list of error numbers"),
            ({"quota": [5], "script": [5]}, "error 5 is put into two classes"),
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, classes: Any, told: str) -> None:
        with pytest.raises(DefinitionError, match=told):
            ErrorTable.overridden(classes)
