"""Access tokens, fetched once per process and identity, renewed before they expire.

The identity endpoint of a machine throttles at a few requests a second, and a thousand targets start at once: one
thread fetches, the others wait for it, or go on with the token they have while it is still good.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache

__all__ = ["CachedToken", "TokenCache", "process_token_cache"]

_RENEW_EARLY = 300.0  # seconds before expiry at which renewal begins
_RETRY_AFTER = 30.0  # seconds between attempts to renew a token that is still good


@dataclass(frozen=True)
class CachedToken:
    """A token and its end.

    :param text: the token itself.
    :param expires_on: seconds since the epoch.
    """

    text: str = field(repr=False)
    expires_on: float


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    token: CachedToken | None = None
    next_renewal: float = 0.0


class TokenCache:
    """Tokens by identity, for any number of threads.

    :param clock: seconds since the epoch; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}

    def get(self, identity: Hashable, fetch: Callable[[], CachedToken]) -> str:
        """Return a token that is good at this moment.

        :param identity: equal for equal identities, secrets and scope included.
        :param fetch: gets a new token; called by one thread at a time per identity.
        :raises Exception: what ``fetch`` raised, if there is no good token to fall back on.
        """
        with self._lock:
            entry = self._entries.setdefault(identity, _Entry())
        token = entry.token
        if token is None or self._clock() >= token.expires_on:
            with entry.lock:
                return self._renewed(entry, fetch)
        if self._clock() < entry.next_renewal or not entry.lock.acquire(blocking=False):
            return token.text  # not due, or another thread is renewing it
        try:
            return self._renewed(entry, fetch)
        finally:
            entry.lock.release()

    def _renewed(self, entry: _Entry, fetch: Callable[[], CachedToken]) -> str:
        """Renew if still needed; the entry's lock is held."""
        now = self._clock()
        token = entry.token
        good = token is not None and now < token.expires_on
        if token is not None and good and now < entry.next_renewal:
            return token.text  # renewed by the thread this one waited for
        entry.next_renewal = now + _RETRY_AFTER
        try:
            entry.token = fetched = fetch()
        except Exception:
            if token is not None and good:
                return token.text
            raise
        entry.next_renewal = max(fetched.expires_on - _RENEW_EARLY, now + _RETRY_AFTER)
        return fetched.text


def process_token_cache() -> TokenCache:
    """Return this process's cache; a forked child gets one of its own, as a lock must not cross a fork."""
    return _cache_of(os.getpid())


@lru_cache(maxsize=1)
def _cache_of(_process_id: int) -> TokenCache:
    return TokenCache()
