from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_elasticjobs.model.lifecycle import TRANSITIONS, Lifecycle, combine
from airflow_provider_elasticjobs.model.messages import job_message, step_message, target_message

ACTIVE = {"Created", "InProgress", "WaitingForChildJobExecutions", "WaitingForRetry"}
TERMINAL = {"Succeeded", "SucceededWithSkipped", "Skipped", "Failed", "TimedOut", "Canceled"}


def test_spelling_and_activity() -> None:
    assert {str(lifecycle) for lifecycle in Lifecycle} == ACTIVE | TERMINAL
    assert {str(lifecycle) for lifecycle in Lifecycle if lifecycle.is_active} == ACTIVE


def test_every_lifecycle_is_reached_and_every_active_one_can_end() -> None:
    reached = set().union(*TRANSITIONS.values()) | {Lifecycle.CREATED}
    assert reached == set(Lifecycle)
    for lifecycle, following in TRANSITIONS.items():
        assert bool(following) == lifecycle.is_active
        assert lifecycle not in following
        if lifecycle.is_active:
            assert Lifecycle.CANCELED in following


_S, _F, _T, _C, _K = (
    Lifecycle.SUCCEEDED,
    Lifecycle.FAILED,
    Lifecycle.TIMED_OUT,
    Lifecycle.CANCELED,
    Lifecycle.SKIPPED,
)


@pytest.mark.parametrize(
    ("children", "parent"),
    [
        ([], _S),
        ([_S, _S], _S),
        ([_S, _K], Lifecycle.SUCCEEDED_WITH_SKIPPED),
        ([_S, Lifecycle.SUCCEEDED_WITH_SKIPPED], Lifecycle.SUCCEEDED_WITH_SKIPPED),
        ([_K, _K], _K),
        ([_K, _F], _F),
        ([_T, _S], _T),
        ([_T, _F], _F),
        ([_C, _S], _C),
        ([_C, _T], _T),
    ],
)
def test_precedence(children: list[Lifecycle], parent: Lifecycle) -> None:
    assert combine(children) is parent
    assert combine(children, cancelled=True) is _C


@given(st.lists(st.sampled_from([_S, _F, _T, _C, _K])))
def test_order_and_number_do_not_matter(children: list[Lifecycle]) -> None:
    assert combine(children) is combine(children[::-1]) is combine(children * 2)


@pytest.mark.parametrize("child", sorted(ACTIVE))
def test_an_active_child_cannot_be_settled_over(child: str) -> None:
    with pytest.raises(ValueError, match="active"):
        combine([_S, Lifecycle(child)], cancelled=True)


def test_the_published_sentence() -> None:
    expected = "Step 1 succeeded execution on target (server 'server1', database 'database1')."
    assert target_message(_S, 1, "server1", "database1") == expected


@pytest.mark.parametrize("lifecycle", list(Lifecycle))
def test_every_level_has_a_sentence(lifecycle: Lifecycle) -> None:
    assert job_message(lifecycle).endswith(".")
    assert step_message(lifecycle, 7).startswith("Step 7 ")
    if lifecycle not in (Lifecycle.WAITING_FOR_CHILD_JOB_EXECUTIONS, Lifecycle.SUCCEEDED_WITH_SKIPPED):
        assert "target (server 's', database 'd')" in target_message(lifecycle, 1, "s", "d")
