"""Threads that ask for the same at once, and get their answers by one call."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar, cast

from airflow_provider_elasticjobs.exceptions import JobDatabaseAwayError

__all__ = ["GroupedCalls"]

#: Seconds after which one who waits for others' answers asks alone: its own patience begins then, not after theirs.
_LONGEST_IN_LINE = 5.0

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


@dataclass(eq=False)
class _Waiting(Generic[_Item, _Answer]):
    item: _Item
    woken: threading.Event = field(default_factory=threading.Event)
    answer: _Answer | BaseException | None = None
    is_next: bool = False


class GroupedCalls(Generic[_Item, _Answer]):
    """Lets threads ask together: who comes while a call is on its way joins the next.

    The slower the answers come, the more go together.

    :param call: asks for some items in one round trip, and returns an answer for each, in their order.
    :param most: how many items it takes.
    """

    def __init__(self, call: Callable[[Sequence[_Item]], Sequence[_Answer]], most: int) -> None:
        self._call = call
        self._most = most
        self._lock = threading.Lock()
        #: Those who wait, by line; a line that is there has somebody who calls.
        self._lines: dict[Hashable, deque[_Waiting[_Item, _Answer]]] = {}

    def ask(self, line: Hashable, item: _Item, *, linger: float = 0.0) -> _Answer:
        """Ask for one item, and return its answer; blocks.

        :param line: those of one line go together.
        :param linger: seconds to wait for others.
        :raises Exception: what asking for this item raised; those of one call may get the same exception.
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
            if not mine.woken.wait(_LONGEST_IN_LINE) and self._leaves(line, mine):
                return self._call([item])[0]
            mine.woken.wait()
        if mine.is_next:
            self._call_for_all(line, mine, linger)
        if isinstance(mine.answer, BaseException):
            raise mine.answer
        return cast("_Answer", mine.answer)

    def _leaves(self, line: Hashable, mine: _Waiting[_Item, _Answer]) -> bool:
        """Leave the line, if nobody asks for this item yet."""
        with self._lock:
            waiting = self._lines.get(line, ())
            if mine not in waiting:
                return False
            self._lines[line].remove(mine)
            return True

    def _call_for_all(self, line: Hashable, mine: _Waiting[_Item, _Answer], linger: float) -> None:
        together = [mine]
        try:
            if linger:
                time.sleep(linger)
            with self._lock:
                waiting = self._lines[line]
                together += [waiting.popleft() for _ in range(min(len(waiting), self._most - 1))]
            answers = self._answers([one.item for one in together])
            for one, answer in zip(together, answers, strict=True):
                one.answer = answer
        except BaseException as error:  # noqa: BLE001 it is raised by each of them
            for one in together:
                one.answer = error
        finally:
            self._hand_on(line)
            for one in together:
                one.woken.set()

    def _hand_on(self, line: Hashable) -> None:
        with self._lock:
            waiting = self._lines[line]
            if waiting:
                following = waiting.popleft()
                following.is_next = True
                following.woken.set()
            else:
                del self._lines[line]

    def _answers(self, items: list[_Item]) -> Sequence[_Answer | BaseException]:
        try:
            return self._call(items)
        except JobDatabaseAwayError:
            raise
        except Exception:
            if len(items) == 1:
                raise
        # The reason may be one of them: they are asked for one by one, as long as there is somebody to ask.
        answers: list[_Answer | BaseException] = []
        for item in items:
            is_away = bool(answers) and isinstance(answers[-1], JobDatabaseAwayError)
            answers.append(answers[-1] if is_away else self._answer_alone(item))
        return answers

    def _answer_alone(self, item: _Item) -> _Answer | BaseException:
        try:
            return self._call([item])[0]
        except Exception as error:  # noqa: BLE001 it is raised by the one who asked
            return error
