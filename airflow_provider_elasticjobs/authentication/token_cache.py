"""Access tokens, fetched once per process and identity, renewed before they expire.

The identity endpoint of a machine throttles at a few requests a second, and a thousand targets start at once: one
thread fetches, the others wait for it, or go on with the token they have while it is still good. What the one is told,
also a failure, is told to all.
"""

from __future__ import annotations

import copy
import os
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from functools import lru_cache

__all__ = ["CachedToken", "TokenCache", "process_token_cache"]

_RENEW_EARLY = 300.0  # seconds before expiry at which renewal begins
_RETRY_AFTER = 30.0  # seconds between attempts to renew a token that is still good
_PAUSE = 10.0  # seconds after a failure in which nobody asks again
_FRESH = 60.0  # seconds in which a new token was not refused for its age, and nobody asks for another


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
    asked: float = 0.0
    next_renewal: float = 0.0
    failure: Exception | None = None


class TokenCache:
    """Tokens by identity, for any number of threads.

    :param clock: seconds since the epoch; replaced in tests.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[Hashable, _Entry] = {}

    def get(self, identity: Hashable, fetch: Callable[[], CachedToken]) -> CachedToken:
        """Return a token that is good at this moment.

        :param identity: equal for equal identities, secrets and scope included.
        :param fetch: gets a new token; called by one thread at a time per identity.
        :raises Exception: what ``fetch`` raised, if there is no good token to fall back on; for some seconds everybody
            is told the same, without another call.
        """
        entry = self._entry(identity)
        token = entry.token
        if token is None or self._clock() >= token.expires_on:
            with entry.lock:
                return self._renewed(entry, fetch)
        if self._clock() < entry.next_renewal or not entry.lock.acquire(blocking=False):
            return token  # not due, or another thread is renewing it
        try:
            return self._renewed(entry, fetch)
        finally:
            entry.lock.release()

    def after_refusal(
        self, identity: Hashable, refused: CachedToken, fetch: Callable[[], CachedToken]
    ) -> CachedToken | None:
        """Return another token after a server refused one, if that may have been for its age; at most one a minute.

        :param identity: as for :meth:`get`.
        :param refused: the token that the server refused.
        :param fetch: as for :meth:`get`.
        :return: a token that is newer; None if the refused one was new, or no other is to be had.
        :raises Exception: what ``fetch`` raised, if the refused token has expired meanwhile.
        """
        entry = self._entry(identity)
        with entry.lock:
            if entry.token is refused and self._clock() >= entry.asked + _FRESH:
                entry.next_renewal = 0.0
                self._renewed(entry, fetch)
            found = entry.token
        return None if found is None or found.text == refused.text else found

    def _entry(self, identity: Hashable) -> _Entry:
        with self._lock:
            return self._entries.setdefault(identity, _Entry())

    def _renewed(self, entry: _Entry, fetch: Callable[[], CachedToken]) -> CachedToken:
        """Renew if still needed; the entry's lock is held."""
        now = self._clock()
        good = entry.token if entry.token is not None and now < entry.token.expires_on else None
        if now < entry.next_renewal:
            if good is not None:
                return good  # renewed by the thread this one waited for
            if entry.failure is not None:
                raise copy.copy(entry.failure)
        entry.asked = now
        try:
            entry.token = fetched = fetch()
        except Exception as error:
            entry.next_renewal = self._clock() + (_PAUSE if good is None else _RETRY_AFTER)
            if good is not None:
                return good
            entry.failure = copy.copy(error)
            raise
        entry.failure = None
        entry.next_renewal = max(fetched.expires_on - _RENEW_EARLY, now + _RETRY_AFTER)
        return fetched


def process_token_cache() -> TokenCache:
    """Return this process's cache; a forked child gets one of its own, as a lock must not cross a fork."""
    return _cache_of(os.getpid())


@lru_cache(maxsize=1)
def _cache_of(_process_id: int) -> TokenCache:
    return TokenCache()
