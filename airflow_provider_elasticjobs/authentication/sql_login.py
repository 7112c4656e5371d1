"""A login of the server, or a contained database user, with a password."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from airflow_provider_elasticjobs.authentication.base import Authentication

__all__ = ["SqlLogin"]


@dataclass(frozen=True)
class SqlLogin(Authentication):
    """Name and password, as with a database-scoped credential of Elastic Jobs.

    :param login: the login's or user's name.
    :param password: its password.
    """

    method: ClassVar[str] = "sql_login"
    required_fields: ClassVar[tuple[str, ...]] = ("login", "password")
    secret_fields: ClassVar[tuple[str, ...]] = ("password",)

    login: str
    password: str = field(repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, str | None]) -> SqlLogin:
        """Take ``login`` and ``password``."""
        cls.check(fields)
        return cls(fields.get("login") or "", fields.get("password") or "")

    def keywords(self) -> dict[str, str]:
        """Return ``UID`` and ``PWD``."""
        return {"UID": self.login, "PWD": self.password}

    def access_token(self) -> None:
        """Return ``None``: there is no token."""
        return

    @property
    def label(self) -> str:
        """``login 'name'``."""
        return f"login '{self.login}'"
