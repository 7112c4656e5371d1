"""What SQL Server's error numbers mean for a retry: a table, and nothing else (sources: peers.md, section 9).

The numbers are the engine's own. A transport error of the driver also carries a number (104, 10054), which may equal an
engine's number of another meaning; such an error is told apart by its origin before this table is asked.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["ERROR_CLASSES", "ErrorClass", "classify", "is_transient"]


class ErrorClass(Enum):
    """Why the engine refused."""

    THROTTLED = "throttled or out of resources"
    UNAVAILABLE = "database moving, resuming or unavailable"
    CONCURRENCY = "victim of a concurrent transaction"
    TRANSPORT = "connection lost while connecting"
    ACCESS = "login, permission or firewall"
    DATABASE_MISSING = "database missing"
    QUOTA = "quota or log space used up"
    SCRIPT = "fault of the script or its data"

    @property
    def is_transient(self) -> bool:
        """Whether the same statement may succeed later without anybody's doing."""
        return self in _TRANSIENT


_TRANSIENT = frozenset({ErrorClass.THROTTLED, ErrorClass.UNAVAILABLE, ErrorClass.CONCURRENCY, ErrorClass.TRANSPORT})

#: Error numbers by class; a number that stands nowhere is a fault of the script.
ERROR_CLASSES: dict[ErrorClass, frozenset[int]] = {
    ErrorClass.THROTTLED: frozenset({701, 8645, 8651, 10928, 10929, 40501, 49918, 49919, 49920}),
    ErrorClass.UNAVAILABLE: frozenset({921, 4221, 40143, 40197, 40613, 42108, 42109}),
    ErrorClass.CONCURRENCY: frozenset({1205, 1222, 3960, 41301, 41302, 41305, 41325, 41839}),
    ErrorClass.ACCESS: frozenset({229, 916, 18452, 18456, 18470, 18486, 18487, 18488, 40615, 40914, 47073}),
    ErrorClass.DATABASE_MISSING: frozenset({911, 4060}),
    ErrorClass.QUOTA: frozenset({9002, 40544}),
    ErrorClass.SCRIPT: frozenset({102, 156, 207, 208, 515, 547, 2601, 2627, 2812, 8134, 50000}),
}

# Numbers of the transport, meaningful only while connecting: nothing has been sent then.
_WHILE_CONNECTING = frozenset({20, 64, 233, 10053, 10054, 10060})

_CLASS_OF = {number: error_class for error_class, numbers in ERROR_CLASSES.items() for number in numbers}


def classify(number: int, *, connecting: bool = False) -> ErrorClass:
    """Return the class of an engine's error number.

    :param number: the number, as in ``sys.messages``.
    :param connecting: whether it came while connecting, before any statement was sent.
    """
    if connecting and number in _WHILE_CONNECTING:
        return ErrorClass.TRANSPORT
    return _CLASS_OF.get(number, ErrorClass.SCRIPT)


def is_transient(number: int | None, *, connecting: bool = False) -> bool:
    """Return whether an attempt that ended with this number may succeed when repeated as it is.

    :param number: the engine's number; ``None`` (no number known) is not transient while executing, but is while
        connecting, where no answer at all is the commonest passing fault.
    :param connecting: as for :func:`classify`.
    """
    if number is None:
        return connecting
    return classify(number, connecting=connecting).is_transient
