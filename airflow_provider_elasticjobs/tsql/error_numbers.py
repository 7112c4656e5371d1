"""What SQL Server's error numbers mean for a retry: a table, and nothing else (sources: peers.md, section 9).

The numbers are the engine's own. A transport error of the driver also carries a number (104, 10054), which may equal an
engine's number of another meaning; such an error is told apart by its origin before this table is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = ["DEFAULT_ERRORS", "ERROR_CLASSES", "FALSE_LOGIN_FAILURE", "ErrorClass", "ErrorTable"]


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

#: The one number of :attr:`ErrorClass.ACCESS` that a database which resumes or fails over answers falsely.
FALSE_LOGIN_FAILURE = 18456

_CLASS_OF = {number: error_class for error_class, numbers in ERROR_CLASSES.items() for number in numbers}


@dataclass(frozen=True)
class ErrorTable:
    """The table as one connection has it: the numbers above, and those that it puts into another class.

    :param overrides: pairs of a number and its class, in the order of the numbers; from :meth:`overridden`.
    """

    overrides: tuple[tuple[int, ErrorClass], ...] = ()

    @classmethod
    def overridden(cls, numbers_by_class: Mapping[str, Iterable[int]]) -> ErrorTable:
        """Return the table with some numbers in other classes.

        :param numbers_by_class: numbers by the name of their class, in any letter case (``throttled``).
        :raises DefinitionError: if a class does not exist, a number is none, or stands in two classes.
        """
        found: dict[int, ErrorClass] = {}
        for name, numbers in numbers_by_class.items():
            error_class = ErrorClass.__members__.get(str(name).upper())
            if error_class is None:
                names = ", ".join(each.name.lower() for each in ErrorClass)
                raise DefinitionError(f"there is no class of errors called {name!r}; there are {names}")
            for number in _numbers(name, numbers):
                if found.setdefault(number, error_class) is not error_class:
                    raise DefinitionError(f"error {number} is put into two classes")
        return cls(tuple(sorted(found.items(), key=lambda pair: pair[0])))

    def classify(self, number: int, *, connecting: bool = False) -> ErrorClass:
        """Return the class of an engine's error number.

        :param number: the number, as in ``sys.messages``.
        :param connecting: whether it came while connecting, before any statement was sent.
        """
        overridden = dict(self.overrides).get(number)
        if overridden is not None:
            return overridden
        if connecting and number in _WHILE_CONNECTING:
            return ErrorClass.TRANSPORT
        return _CLASS_OF.get(number, ErrorClass.SCRIPT)

    def is_transient(self, number: int | None, *, connecting: bool = False) -> bool:
        """Return whether an attempt that ended with this number may succeed when repeated as it is.

        :param number: the engine's number; ``None`` (no number known) is not transient while executing, but is while
            connecting, where no answer at all is the commonest passing fault.
        :param connecting: as for :meth:`classify`.
        """
        if number is None:
            return connecting
        return self.classify(number, connecting=connecting).is_transient


def _numbers(name: str, numbers: Iterable[int]) -> tuple[int, ...]:
    listed = () if isinstance(numbers, (str, Mapping)) or not isinstance(numbers, Iterable) else tuple(numbers)
    if not listed or any(isinstance(each, bool) or not isinstance(each, int) or each < 1 for each in listed):
        raise DefinitionError(f"class {name!r}: a list of error numbers is needed, not {numbers!r}")
    return listed


#: The table as it stands above.
DEFAULT_ERRORS = ErrorTable()
