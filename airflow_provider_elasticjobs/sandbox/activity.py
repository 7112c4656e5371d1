"""What happened on a logical server: counters and a bounded log of statements, for tests to look at."""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

LONGEST_LOG = 10_000
LONGEST_TEXT = 4_000


@dataclass(frozen=True)
class Counters:
    """Numbers of one logical server since its start or the last reset.

    :param logins: logins that succeeded
    :param refused_logins: logins that were refused
    :param sessions: sessions open now
    :param peak_sessions: most sessions open at once
    :param batches: batches and procedure calls begun
    :param running: batches running now
    :param peak_running: most batches running at once
    :param cancelled: batches ended by an attention
    """

    logins: int = 0
    refused_logins: int = 0
    sessions: int = 0
    peak_sessions: int = 0
    batches: int = 0
    running: int = 0
    peak_running: int = 0
    cancelled: int = 0

    def to_dict(self) -> dict[str, int]:
        """The numbers by name."""
        return asdict(self)


@dataclass(frozen=True)
class Statement:
    """One batch or procedure call.

    :param number: running number on its server
    :param session_id: its session, as ``@@SPID`` answers
    :param database: the session's database when it began
    :param application_name: the client's name for itself
    :param text: T-SQL or procedure name, at most 4,000 characters
    :param started: when it began, UTC
    :param ended: when it ended, None while it runs
    :param outcome: ``running``, ``succeeded``, ``failed``, ``cancelled`` or ``dropped``
    """

    number: int
    session_id: int
    database: str
    application_name: str
    text: str
    started: dt.datetime
    ended: dt.datetime | None = None
    outcome: str = "running"


def peak_overlap(statements: Iterable[Statement]) -> int:
    """The most of these statements that ran at once; one that ended as another began did not overlap it."""
    edges: list[tuple[dt.datetime, int]] = []
    for statement in statements:
        edges.append((statement.started, 1))
        if statement.ended is not None:
            edges.append((statement.ended, -1))
    running = peak = 0
    for _, step in sorted(edges):
        running += step
        peak = max(peak, running)
    return peak


class Activity:
    """Counts and logs what one logical server does. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters = Counters()
        self._running: dict[int, Statement] = {}
        self._ended: deque[Statement] = deque(maxlen=LONGEST_LOG)
        self._number = 0

    def login_succeeded(self) -> None:
        """Count a login and its session."""
        with self._lock:
            now = self._counters
            sessions = now.sessions + 1
            self._counters = replace(
                now, logins=now.logins + 1, sessions=sessions, peak_sessions=max(now.peak_sessions, sessions)
            )

    def login_refused(self) -> None:
        """Count a login that was refused."""
        with self._lock:
            self._counters = replace(self._counters, refused_logins=self._counters.refused_logins + 1)

    def session_closed(self) -> None:
        """Count a session out."""
        with self._lock:
            self._counters = replace(self._counters, sessions=self._counters.sessions - 1)

    def begin(self, *, session_id: int, database: str, application_name: str, text: str) -> int:
        """Note that a batch begins.

        :returns: its number, for :meth:`end`
        """
        with self._lock:
            self._number += 1
            started = dt.datetime.now(dt.timezone.utc)
            self._running[self._number] = Statement(
                self._number, session_id, database, application_name, text[:LONGEST_TEXT], started
            )
            now = self._counters
            self._counters = replace(
                now,
                batches=now.batches + 1,
                running=len(self._running),
                peak_running=max(now.peak_running, len(self._running)),
            )
            return self._number

    def end(self, number: int, outcome: str) -> None:
        """Note how a batch ended: ``succeeded``, ``failed``, ``cancelled`` or ``dropped``."""
        with self._lock:
            statement = self._running.pop(number)
            self._ended.append(replace(statement, ended=dt.datetime.now(dt.timezone.utc), outcome=outcome))
            now = self._counters
            self._counters = replace(
                now, running=len(self._running), cancelled=now.cancelled + (outcome == "cancelled")
            )

    def counters(self) -> Counters:
        """The numbers as they are now."""
        with self._lock:
            return self._counters

    def statements(self, *, database: str | None = None, containing: str | None = None) -> list[Statement]:
        """The latest 10,000 statements and those that run, in the order they began; letter case does not matter.

        :param database: only those in this database
        :param containing: only those with this text
        """
        with self._lock:
            everything = [*self._ended, *self._running.values()]
        return sorted(
            (
                statement
                for statement in everything
                if (database is None or statement.database.casefold() == database.casefold())
                and (containing is None or containing.casefold() in statement.text.casefold())
            ),
            key=lambda statement: statement.number,
        )

    def peak_running(self, *, database: str | None = None, containing: str | None = None) -> int:
        """The most batches that ran at once, of those in the log that match."""
        return peak_overlap(self.statements(database=database, containing=containing))

    def reset(self) -> None:
        """Start counting anew and empty the log; what is open or running stays counted."""
        with self._lock:
            sessions = self._counters.sessions
            self._counters = Counters(
                sessions=sessions,
                peak_sessions=sessions,
                running=len(self._running),
                peak_running=len(self._running),
            )
            self._ended.clear()
