"""The access tokens that a logical server accepts, in place of Microsoft Entra ID."""

from __future__ import annotations

import threading
from collections.abc import Mapping


class AccessTokens:
    """Opaque tokens and the users they stand for. Thread-safe; its repr shows no token.

    :param users: user names by token
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._users = dict(users)

    def user(self, token: str) -> str | None:
        """The user that a token stands for, None when it is unknown or expired."""
        with self._lock:
            return self._users.get(token)

    def accept(self, token: str, user: str) -> None:
        """Accept a token from now on."""
        with self._lock:
            self._users[token] = user

    def expire(self, token: str) -> None:
        """Refuse a token from now on; sessions that it opened stay open, as with SQL Server."""
        with self._lock:
            self._users.pop(token, None)
