"""The rows of a process's targets, those of one step written together where several ask at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from airflow_provider_elasticjobs.exceptions import ElasticJobsError, JobDatabaseAwayError
from airflow_provider_elasticjobs.job_database import executions, together
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.records import AttemptMessage, AttemptStart, Claim, Settled
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.outcome import Outcome

__all__ = ["RowWriter", "Together", "is_plain"]

#: How long an end that nobody waits for waits for others; it is also how much longer a killed process may leave a
#: script's success unwritten.
_LINGER_SECONDS = 0.02

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass
class _Waiting(Generic[_Item, _Answer]):
    item: _Item
    woken: threading.Event = field(default_factory=threading.Event)
    answer: _Answer | BaseException | None = None
    is_next: bool = False


class Together(Generic[_Item, _Answer]):
    """Lets threads that ask for the same at once ask together: who comes while a question is on its way joins the next.

    The slower the answers come, the more go together.

    :param send: asks for some items in one round trip, and returns an answer for each, in their order.
    :param most: how many items it takes.
    """

    def __init__(self, send: Callable[[Sequence[_Item]], Sequence[_Answer]], most: int) -> None:
        self._send = send
        self._most = most
        self._lock = threading.Lock()
        #: Those who wait, by line; a line that is there has somebody who asks.
        self._lines: dict[Hashable, deque[_Waiting[_Item, _Answer]]] = {}

    def ask(self, line: Hashable, item: _Item, *, linger: float = 0.0) -> _Answer:
        """Ask for one item, and return its answer; blocks.

        :param line: those of one line go together.
        :param linger: seconds to wait for others.
        :raises ElasticJobsError: what asking for this item raised.
        """
        mine = _Waiting[_Item, _Answer](item)
        with self._lock:
            waiting = self._lines.get(line)
            if waiting is None:
                self._lines[line] = deque()
                mine.is_next = True
            else:
                waiting.append(mine)
        if not mine.is_next:
            mine.woken.wait()
        if mine.is_next:
            if linger:
                time.sleep(linger)
            self._ask_for_all(line, mine)
        if isinstance(mine.answer, BaseException):
            raise mine.answer
        return cast("_Answer", mine.answer)

    def _ask_for_all(self, line: Hashable, mine: _Waiting[_Item, _Answer]) -> None:
        with self._lock:
            waiting = self._lines[line]
            others = [waiting.popleft() for _ in range(min(len(waiting), self._most - 1))]
        try:
            answers = self._answers([mine.item, *(other.item for other in others)])
        except BaseException as error:  # noqa: BLE001 it is raised by each of them
            answers = [error] * (1 + len(others))
        for asker, answer in zip([mine, *others], answers, strict=True):
            asker.answer = answer
        with self._lock:
            following = waiting.popleft() if waiting else None
            if following is None:
                del self._lines[line]
            else:
                following.is_next = True
                others.append(following)
        for other in others:
            other.woken.set()

    def _answers(self, items: list[_Item]) -> Sequence[_Answer | BaseException]:
        try:
            return self._send(items)
        except JobDatabaseAwayError:
            raise
        except ElasticJobsError:
            if len(items) == 1:
                raise
        return [self._answer_alone(item) for item in items]

    def _answer_alone(self, item: _Item) -> _Answer | BaseException:
        """Ask for one of those that were refused together: the reason may be another's."""
        try:
            return self._send([item])[0]
        except ElasticJobsError as error:
            return error


class RowWriter:
    """Writes the beginnings and ends of this process's attempts, each before its answer counts.

    :param job_database: where the rows are.
    :param expiry_seconds: age of a heartbeat from which its process counts as lost, and its places as free.
    """

    def __init__(self, job_database: JobDatabase, expiry_seconds: float) -> None:
        self._job_database = job_database
        self._expiry_seconds = expiry_seconds
        self._beginnings = Together[tuple[Claim, int], AttemptStart](
            lambda starts: together.begin_attempts(job_database, starts), together.MOST_BEGINNINGS
        )
        self._ends = Together[tuple[Claim, Sequence[AttemptMessage]], Settled](
            lambda ends: together.succeed_targets(job_database, ends), together.MOST_ENDS
        )

    def begin(self, claim: Claim, attempt: int) -> AttemptStart:
        """Record that an attempt begins now; as :func:`~.job_database.executions.begin_attempt`."""
        if not is_plain(claim):
            return executions.begin_attempt(self._job_database, claim, attempt, expiry_seconds=self._expiry_seconds)
        return self._beginnings.ask(_line(claim), (claim, attempt))

    def succeed(self, claim: Claim, messages: Sequence[AttemptMessage], *, linger: bool) -> Settled:
        """End the row of a target whose script succeeded; as :func:`~.job_database.executions.finish_target`.

        :param claim: the claim on the row, which nobody waits for (:func:`is_plain`).
        :param messages: what the script said during the attempt that ends.
        :param linger: whether nobody is kept waiting if the write waits a moment for others.
        """
        if len(messages) > together.MOST_MESSAGES_TOGETHER:
            return executions.finish_target(
                self._job_database, claim, Lifecycle.SUCCEEDED, outcome=Outcome.SUCCEEDED, messages=messages
            )
        return self._ends.ask(_line(claim), (claim, messages), linger=_LINGER_SECONDS if linger else 0.0)


def is_plain(claim: Claim) -> bool:
    """Return whether others neither wait for the row's end nor count it: its step has no caps and no rollout."""
    return not claim.needs_place and claim.wave is None


def _line(claim: Claim) -> Hashable:
    return claim.job_execution_id, claim.step_id
