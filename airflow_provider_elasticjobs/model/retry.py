"""When an attempt that failed is made again (reference 3.5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = ["DEFAULT_AVAILABILITY_TIMEOUT", "RetryPolicy"]

#: Seconds: a paused serverless database takes up to about 45 to resume, a failover often longer (peers.md, sections 6
#: and 9, which asks for 60 at least).
DEFAULT_AVAILABILITY_TIMEOUT = 120.0


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a failed script is run again on the same database.

    The waits are ``min(initial_interval * backoff_multiplier ** (k - 1), maximum_interval)`` before retry ``k``; with
    the defaults 1, 2, 4, 8, 16, 32, 64, 120, 120 and 120 seconds, 487 s in all.

    :param attempts: retries after the first attempt, 0 or more.
    :param initial_interval: wait before the first retry, in seconds, 0 or more.
    :param maximum_interval: longest wait, in seconds, not below ``initial_interval``.
    :param backoff_multiplier: what the wait grows by, 1 or more.
    :param availability_timeout: seconds, over all attempts of a database, to wait for it while its server says that it
        is not available yet (it resumes, moves or fails over); such waits are not attempts. 0 for none.
    :param retry_on: ``"any"`` error, as Elastic Jobs does; ``"transient"`` ones by their number; or a tuple of numbers.
    :raises DefinitionError: if a value is out of its range.
    """

    attempts: int = 10
    initial_interval: float = 1
    maximum_interval: float = 120
    backoff_multiplier: float = 2.0
    retry_on: Literal["any", "transient"] | tuple[int, ...] = "any"
    availability_timeout: float = DEFAULT_AVAILABILITY_TIMEOUT

    def __post_init__(self) -> None:
        self._require(self.attempts >= 0, "attempts must be 0 or more")
        self._require(self.initial_interval >= 0, "initial_interval must be 0 seconds or more")
        self._require(self.maximum_interval >= self.initial_interval, "maximum_interval is below initial_interval")
        self._require(self.backoff_multiplier >= 1, "backoff_multiplier must be 1 or more")
        self._require(self.availability_timeout >= 0, "availability_timeout must be 0 seconds or more")
        if isinstance(self.retry_on, str):
            self._require(self.retry_on in ("any", "transient"), "retry_on must be 'any', 'transient' or error numbers")
        else:
            object.__setattr__(self, "retry_on", self._numbers(self.retry_on))

    def _require(self, holds: bool, rule: str) -> None:
        if not holds:
            raise DefinitionError(f"RetryPolicy: {rule} ({self!r})")

    def _numbers(self, numbers: Iterable[int]) -> tuple[int, ...]:
        try:
            return tuple(int(number) for number in numbers)
        except (TypeError, ValueError):
            raise DefinitionError("RetryPolicy: retry_on must be 'any', 'transient' or error numbers") from None

    def delay(self, retry: int) -> float:
        """Return the seconds to wait before retry number ``retry``, counted from 1.

        :raises ValueError: if ``retry`` is below 1.
        """
        if retry < 1:
            raise ValueError("retries are counted from 1")
        try:
            grown = self.initial_interval * self.backoff_multiplier ** (retry - 1)
        except OverflowError:
            return self.maximum_interval
        return min(grown, self.maximum_interval)

    def to_json(self) -> dict[str, Any]:
        """Return the policy as plain JSON."""
        data = asdict(self)
        return {**data, "retry_on": data["retry_on"] if isinstance(self.retry_on, str) else list(self.retry_on)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RetryPolicy:
        """Rebuild a policy from :meth:`to_json`'s form.

        :raises DefinitionError: if a field is unknown or out of its range.
        """
        try:
            return cls(**data)
        except TypeError as error:
            raise DefinitionError(f"RetryPolicy: {error}") from error
