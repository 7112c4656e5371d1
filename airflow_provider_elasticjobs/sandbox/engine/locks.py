"""Application locks: ``sp_getapplock`` and ``sp_releaseapplock``."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession
    from airflow_provider_elasticjobs.sandbox.engine.storage import DatabaseFile

_COMPATIBLE: Final[Mapping[str, frozenset[str]]] = {
    "IntentShared": frozenset({"IntentShared", "Shared", "Update", "IntentExclusive"}),
    "Shared": frozenset({"IntentShared", "Shared", "Update"}),
    "Update": frozenset({"IntentShared", "Shared"}),
    "IntentExclusive": frozenset({"IntentShared", "IntentExclusive"}),
    "Exclusive": frozenset(),
}
_STRENGTH: Final = ("IntentShared", "Shared", "Update", "IntentExclusive", "Exclusive")
MODES: Final[Mapping[str, str]] = {mode.lower(): mode for mode in _STRENGTH}
GRANTED, GRANTED_AFTER_WAITING, TIMED_OUT, DEADLOCK = 0, 1, -1, -3


@dataclass
class _Hold:
    session: EngineSession
    owner: str
    mode: str
    count: int = 1


@dataclass
class _Resource:
    holds: list[_Hold] = field(default_factory=list)


class ApplicationLocks:
    """The application locks of one logical server; a lock belongs to a database."""

    def __init__(self) -> None:
        self._resources: dict[tuple[Hashable, str], _Resource] = {}
        self._waiting: dict[EngineSession, tuple[tuple[Hashable, str], str]] = {}
        self._changed = threading.Condition()

    def acquire(
        self, database: DatabaseFile, session: EngineSession, name: str, *, mode: str, owner: str, timeout: float | None
    ) -> int:
        """Take a lock.

        :param name: resource, compared with its case as SQL Server does
        :param mode: one of :data:`MODES`
        :param owner: ``Session`` or ``Transaction``
        :param timeout: seconds; None waits for ever
        :returns: 0, 1, -1 (time-out) or -3 (deadlock)
        :raises Cancelled: when the session was cancelled while waiting
        """
        key = (database.database_id, name)
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            waited = False
            try:
                while not self._grantable(key, session, mode):
                    left = 0.1 if deadline is None else min(0.1, deadline - time.monotonic())
                    if left <= 0:
                        return TIMED_OUT
                    self._waiting[session] = (key, mode)
                    if self._is_deadlock(session):
                        return DEADLOCK
                    waited = True
                    self._changed.wait(left)
                    session.cancellation.check()
            finally:
                self._waiting.pop(session, None)
            self._grant(key, session, owner, mode)
        return GRANTED_AFTER_WAITING if waited else GRANTED

    def _grantable(self, key: tuple[Hashable, str], session: EngineSession, mode: str) -> bool:
        resource = self._resources.get(key)
        return resource is None or all(
            hold.session is session or hold.mode in _COMPATIBLE[mode] for hold in resource.holds
        )

    def _is_deadlock(self, session: EngineSession) -> bool:
        seen: set[EngineSession] = set()
        queue = [session]
        while queue:
            waiter = queue.pop()
            wanted = self._waiting.get(waiter)
            if wanted is None:
                continue
            key, mode = wanted
            for hold in self._resources.get(key, _Resource()).holds:
                if hold.session is waiter or hold.mode in _COMPATIBLE[mode]:
                    continue
                if hold.session is session:
                    return True
                if hold.session not in seen:
                    seen.add(hold.session)
                    queue.append(hold.session)
        return False

    def _grant(self, key: tuple[Hashable, str], session: EngineSession, owner: str, mode: str) -> None:
        resource = self._resources.setdefault(key, _Resource())
        for hold in resource.holds:
            if hold.session is session and hold.owner == owner:
                hold.count += 1
                hold.mode = max(hold.mode, mode, key=_STRENGTH.index)
                return
        resource.holds.append(_Hold(session, owner, mode))

    def release(self, database: DatabaseFile, session: EngineSession, name: str, owner: str) -> bool:
        """Give a lock back once; return whether it was held."""
        key = (database.database_id, name)
        with self._changed:
            resource = self._resources.get(key)
            hold = (
                next((each for each in resource.holds if each.session is session and each.owner == owner), None)
                if resource
                else None
            )
            if resource is None or hold is None:
                return False
            hold.count -= 1
            if not hold.count:
                resource.holds.remove(hold)
                self._forget_empty(key)
            self._changed.notify_all()
            return True

    def release_all(self, session: EngineSession, owner: str | None = None) -> None:
        """Free every lock of a session, or those of one owner kind."""
        with self._changed:
            for key, resource in list(self._resources.items()):
                resource.holds = [
                    hold for hold in resource.holds if hold.session is not session or (owner and hold.owner != owner)
                ]
                self._forget_empty(key)
            self._changed.notify_all()

    def _forget_empty(self, key: tuple[Hashable, str]) -> None:
        if not self._resources[key].holds:
            del self._resources[key]

    def mode(self, database: DatabaseFile, session: EngineSession, name: str, owner: str) -> str:
        """Return what APPLOCK_MODE does."""
        with self._changed:
            resource = self._resources.get((database.database_id, name), _Resource())
            held = (
                hold.mode for hold in resource.holds if hold.session is session and hold.owner.lower() == owner.lower()
            )
            return next(held, "NoLock")

    def test(self, database: DatabaseFile, session: EngineSession, name: str, mode: str) -> bool:
        """Return whether the lock could be had now."""
        with self._changed:
            return self._grantable((database.database_id, name), session, MODES.get(mode.lower(), "Exclusive"))

    def rows(self) -> list[list[object]]:
        """Return the rows of ``sys.dm_tran_locks``."""
        with self._changed:
            return [
                [
                    "APPLICATION",
                    key[0],
                    f"0:[{key[1][:32]}]:(00000000)",
                    _STRENGTH_SHORT[hold.mode],
                    "GRANT",
                    hold.session.session_id,
                    hold.owner.upper(),
                ]
                for key, resource in self._resources.items()
                for hold in resource.holds
            ]


_STRENGTH_SHORT: Final[Mapping[str, str]] = {
    "IntentShared": "IS", "Shared": "S", "Update": "U", "IntentExclusive": "IX", "Exclusive": "X",
}  # fmt: skip
