"""Faults on demand: how a test makes a logical server misbehave.

========================= =============== =====================================================================
kind                      where           what the client sees
========================= =============== =====================================================================
``login_refused``         at login        error 18456, then the connection closes
``database_unavailable``  at login        error 40613
``unknown_database``      at login        error 4060
``firewall``              at login        error 40615
``login_error``           at login        the error ``number`` with ``severity`` and ``text``
``login_dropped``         at login        the connection closes without an answer
``slow_login``            at login        the answer comes ``seconds`` later
``throttled``             before a batch  error 40501 (severity 20), nothing was executed, the connection closes
``deadlock``              before a batch  error 1205, nothing was executed, an open transaction is rolled back
``error``                 before a batch  the error ``number`` with ``severity`` and ``text``; 20 or more closes
``dropped_before``        before a batch  the connection closes, nothing was executed
``dropped_after``         after a batch   the connection closes, everything was executed (outcome unknown)
``dropped_while_reading`` during a batch  the connection closes after ``rows`` rows were sent
``slow``                  before a batch  the batch starts ``seconds`` later; an attention ends the wait
========================= =============== =====================================================================

A fault holds for one logical server or all, for one database or all, ``times`` times or for ever, and, when
``containing`` is given, only for batches with that text (letter case does not matter). Commits and rollbacks that the
driver sends outside T-SQL count as batches ``COMMIT`` and ``ROLLBACK`` and are hit only by a fault with ``containing``.
Any client may set faults with ``EXEC sandbox.sp_add_fault`` (see :mod:`.control`); a login whose application name
is ``sandbox-control`` is never hit.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from airflow_provider_elasticjobs.sandbox.engine.interface import ServerMessage

CONTROL_APPLICATION = "sandbox-control"
LOGIN_KINDS = frozenset(
    {
        "login_refused",
        "database_unavailable",
        "unknown_database",
        "firewall",
        "login_error",
        "login_dropped",
        "slow_login",
    }
)
CLOSING_SEVERITY = 20
GENERIC_ERROR = 50_000


class FaultKind(str, Enum):
    """What can be made to happen; the module's table says what each does."""

    LOGIN_REFUSED = "login_refused"
    DATABASE_UNAVAILABLE = "database_unavailable"
    UNKNOWN_DATABASE = "unknown_database"
    FIREWALL = "firewall"
    LOGIN_ERROR = "login_error"
    LOGIN_DROPPED = "login_dropped"
    SLOW_LOGIN = "slow_login"
    THROTTLED = "throttled"
    DEADLOCK = "deadlock"
    ERROR = "error"
    DROPPED_BEFORE = "dropped_before"
    DROPPED_AFTER = "dropped_after"
    DROPPED_WHILE_READING = "dropped_while_reading"
    SLOW = "slow"

    @property
    def at_login(self) -> bool:
        """Whether it strikes at login instead of at a batch."""
        return self.value in LOGIN_KINDS

    @property
    def is_delay(self) -> bool:
        """Whether it only delays."""
        return self in (FaultKind.SLOW, FaultKind.SLOW_LOGIN)


@dataclass(frozen=True)
class Fault:
    """One fault; see the module's table.

    :param kind: what happens; a plain text is converted
    :param server: logical server it holds for, None for all
    :param database: database it holds for, None for all
    :param times: how often it strikes, None for ever
    :param containing: text that a batch must contain
    :param seconds: for the two slow kinds
    :param rows: for ``dropped_while_reading``
    :param number: for the two kinds of error
    :param severity: for the two kinds of error
    :param text: for the two kinds of error
    """

    kind: FaultKind
    server: str | None = None
    database: str | None = None
    times: int | None = 1
    containing: str | None = None
    seconds: float = 1.0
    rows: int = 1
    number: int = GENERIC_ERROR
    severity: int = 16
    text: str = "A fault that was asked for."

    def __post_init__(self) -> None:
        """Take plain text for a kind.

        :raises ValueError: for an unknown kind
        """
        object.__setattr__(self, "kind", FaultKind(self.kind))

    def concerns(self, server: str, database: str | None, text: str | None) -> bool:
        """Whether it holds for this server, this database and this batch (None for a login)."""
        return (
            (self.server is None or self.server.casefold() == server.casefold())
            and (self.database is None or self.database.casefold() == (database or "master").casefold())
            and (self.containing is None or (text is not None and self.containing.casefold() in text.casefold()))
        )

    def message(self, *, server: str, database: str, user: str, session_id: int) -> ServerMessage:
        """The error of the kinds that send one, in SQL Server's words."""
        number, severity, state, text = _ERRORS.get(self.kind, (self.number, self.severity, 1, self.text))
        if self.kind in _ERRORS:
            text = text.format(server=server.partition(".")[0], database=database, user=user, session_id=session_id)
        return ServerMessage(number, severity, state, text)


_ERRORS: dict[FaultKind, tuple[int, int, int, str]] = {
    FaultKind.LOGIN_REFUSED: (18456, 14, 1, "Login failed for user '{user}'."),
    FaultKind.DATABASE_UNAVAILABLE: (
        40613,
        17,
        1,
        (
            "Database '{database}' on server '{server}' is not currently available.  Please retry the connection "
            "later.  If the problem persists, contact customer support, and provide them the session tracing ID of "
            "'{{00000000-0000-0000-0000-000000000000}}'."
        ),
    ),
    FaultKind.UNKNOWN_DATABASE: (
        4060,
        11,
        1,
        'Cannot open database "{database}" requested by the login. The login failed.',
    ),
    FaultKind.FIREWALL: (
        40615,
        14,
        1,
        (
            "Cannot open server '{server}' requested by the login. Client with IP address '127.0.0.1' is not allowed "
            "to access the server.  To enable access, use the Azure Management Portal or run sp_set_firewall_rule on "
            "the master database to create a firewall rule for this IP address or address range.  It may take up to "
            "five minutes for this change to take effect."
        ),
    ),
    FaultKind.THROTTLED: (
        40501,
        20,
        1,
        (
            "The service is currently busy. Retry the request after 10 seconds. Incident ID: "
            "00000000-0000-0000-0000-000000000000. Code: 0."
        ),
    ),
    FaultKind.DEADLOCK: (
        1205,
        13,
        51,
        (
            "Transaction (Process ID {session_id}) was deadlocked on lock resources with another process and has been "
            "chosen as the deadlock victim. Rerun the transaction."
        ),
    ),
}


class FaultBoard:
    """The faults that are set, shared by all logical servers of a sandbox. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._faults: dict[int, Fault] = {}

    def add(self, fault: Fault) -> int:
        """Set a fault.

        :returns: its number, for :meth:`remove`
        """
        with self._lock:
            number = next(self._numbers)
            self._faults[number] = fault
        return number

    def remove(self, number: int) -> bool:
        """Take a fault back; False when it was spent or never set."""
        with self._lock:
            return self._faults.pop(number, None) is not None

    def clear(self, server: str | None = None) -> None:
        """Take all faults back, or those set for one server."""
        with self._lock:
            self._faults = {
                number: fault
                for number, fault in self._faults.items()
                if server is not None and (fault.server or "").casefold() != server.casefold()
            }

    def pending(self) -> dict[int, Fault]:
        """The faults that are set, by number, with the times left."""
        with self._lock:
            return dict(self._faults)

    def strike_login(self, server: str, database: str | None) -> list[Fault]:
        """Use up what hits a login: any delays, then at most one other fault."""
        with self._lock:
            return self._strike(lambda fault: fault.kind.at_login and fault.concerns(server, database, None))

    def strike_batch(self, server: str, database: str, text: str, *, only_named: bool = False) -> list[Fault]:
        """Use up what hits a batch: any delays, then at most one other fault.

        :param only_named: leave out faults without ``containing``
        """
        with self._lock:
            return self._strike(
                lambda fault: (
                    not fault.kind.at_login
                    and not (only_named and fault.containing is None)
                    and fault.concerns(server, database, text)
                )
            )

    def _strike(self, hits: Callable[[Fault], bool]) -> list[Fault]:
        delays: list[Fault] = []
        others: list[Fault] = []
        for number, fault in list(self._faults.items()):
            if not hits(fault) or (others and not fault.kind.is_delay):
                continue
            (delays if fault.kind.is_delay else others).append(fault)
            self._use_up(number, fault)
        return delays + others

    def _use_up(self, number: int, fault: Fault) -> None:
        if fault.times is None:
            return
        if fault.times <= 1:
            del self._faults[number]
        else:
            self._faults[number] = replace(fault, times=fault.times - 1)
