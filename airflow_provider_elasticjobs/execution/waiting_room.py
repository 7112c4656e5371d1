"""Those of one process who wait for a place of an elastic pool or a server, and who is woken when one is free."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from airflow_provider_elasticjobs.job_database.places import waiting_causes
from airflow_provider_elasticjobs.job_database.records import Claim

__all__ = ["ROLLOUT", "WaitingRoom", "pauses"]

#: The line of those who wait until their time has come, and no longer than their step's rollout goes on.
ROLLOUT = "rollout"

#: Seconds between two questions whether there is a place: the first, and the longest.
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 2.0


def pauses(first: float = _FIRST_PAUSE, longest: float = _LONGEST_PAUSE) -> Iterator[float]:
    """Yield the seconds before each further question: growing, and spread so that many do not ask at once.

    The longest stays well under ``job_database.places.QUEUE_SECONDS`` by default, so that who asks so often for a place
    keeps its turn.

    :param first: the longest first pause, in seconds; each is half of that at least.
    :param longest: what no pause is above.
    """
    most = first
    while True:
        yield most * random.uniform(0.5, 1)  # noqa: S311 a pause is no secret
        most = min(most * 2, longest)


class WaitingRoom:
    """Wakes the next in line at once when this process gives a place back.

    It only saves the rest of a pause: who is not woken, because the place was another process's, asks by itself.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[object, ...], dict[object, tuple[int, Callable[[], None]]]] = {}

    @contextmanager
    def waiting(self, claim: Claim, cause: str, wake: Callable[[], None]) -> Iterator[None]:
        """Be in line within the block.

        :param claim: the row that waits.
        :param cause: what it waits for.
        :param wake: called from the thread of one who gives such a place back; must return at once.
        """
        key, line = object(), (claim.job_execution_id, claim.step_id, cause)
        with self._lock:
            self._waiting.setdefault(line, {})[key] = claim.target_ordinal, wake
        try:
            yield
        finally:
            with self._lock:
                del self._waiting[line][key]
                if not self._waiting[line]:
                    del self._waiting[line]

    def place_is_free(self, claim: Claim) -> None:
        """Wake the first in line for each place that a row has given back.

        :param claim: the row whose attempt has ended.
        """
        for cause in waiting_causes(claim):
            with self._lock:
                line = self._waiting.get((claim.job_execution_id, claim.step_id, cause), {})
                first = min(line.values(), key=lambda each: each[0], default=None)
            if first is not None:
                first[1]()

    def rollout_is_over(self, claim: Claim) -> None:
        """Wake all of a row's step who wait for their time: nothing further of it begins.

        :param claim: the row whose failure was one too many.
        """
        with self._lock:
            line = list(self._waiting.get((claim.job_execution_id, claim.step_id, ROLLOUT), {}).values())
        for _, wake in line:
            wake()
