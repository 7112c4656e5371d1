from __future__ import annotations

import datetime as dt
import itertools
from contextlib import ExitStack
from functools import partial
from uuid import UUID

from airflow_provider_elasticjobs.execution.waiting_room import WaitingRoom, pauses
from airflow_provider_elasticjobs.job_database.places import QUEUE_SECONDS, waiting_causes
from airflow_provider_elasticjobs.job_database.records import Claim
from airflow_provider_elasticjobs.model.targets import Target


def claim(ordinal: int, pool: str | None = "p", *, run: int = 1, caps: tuple[int | None, int | None] = (1, 5)) -> Claim:
    return Claim(
        execution_id=UUID(int=ordinal),
        claim_id=UUID(int=ordinal),
        job_execution_id=UUID(int=run),
        job_execution_create_time=dt.datetime(2026, 1, 1),  # noqa: DTZ001 as the job database gives it
        job_id=UUID(int=1),
        job_name="Job1",
        job_version=1,
        step_id=1,
        step_name="step1",
        target_group_name="everyone",
        target=Target("s", f"db{ordinal}", pool),
        attempts=0,
        lost_attempt=False,
        work_id=UUID(int=ordinal),
        max_parallelism=caps[0],
        max_parallelism_per_server=caps[1],
        target_ordinal=ordinal,
    )


class Waiters:
    """Some who wait, and who of them was woken."""

    def __init__(self, *waiting: tuple[Claim, int]) -> None:
        self.room = WaitingRoom()
        self.woken: list[int] = []
        self._stack = ExitStack()
        for each, cause in waiting:
            sentence = waiting_causes(each)[cause]
            assert sentence is not None
            self._stack.enter_context(
                self.room.waiting(each, sentence, partial(self.woken.append, each.target_ordinal))
            )

    def leave(self) -> None:
        self._stack.close()


POOL, SERVER = 0, 1


def test_a_free_place_wakes_the_first_in_line_only() -> None:
    waiters = Waiters((claim(3), POOL), (claim(2), POOL), (claim(4), POOL))
    waiters.room.place_is_free(claim(1))
    assert waiters.woken == [2]


def test_it_wakes_one_for_the_pool_and_one_for_the_server() -> None:
    waiters = Waiters((claim(2), POOL), (claim(3, "q"), POOL), (claim(4, "q"), SERVER), (claim(5, None), SERVER))
    waiters.room.place_is_free(claim(1))
    assert waiters.woken == [2, 4]


def test_who_waits_in_another_run_is_not_woken() -> None:
    waiters = Waiters((claim(2, run=2), POOL))
    waiters.room.place_is_free(claim(1))
    assert waiters.woken == []


def test_who_has_left_is_not_woken() -> None:
    waiters = Waiters((claim(2), POOL))
    waiters.leave()
    waiters.room.place_is_free(claim(1))
    assert waiters.woken == []


def test_a_row_without_caps_has_nothing_to_give_back() -> None:
    assert waiting_causes(claim(1, caps=(None, None))) == (None, None)
    assert waiting_causes(claim(1, None, caps=(3, None))) == (None, None)
    WaitingRoom().place_is_free(claim(1, caps=(None, None)))


def test_pauses_grow_and_stay_short_enough_to_keep_ones_turn() -> None:
    first = list(itertools.islice(pauses(), 50))
    assert max(first[:1]) <= 0.25
    assert all(each >= 0.1 for each in first)
    assert max(first) * 3 < QUEUE_SECONDS
    assert min(first[10:]) >= 1
