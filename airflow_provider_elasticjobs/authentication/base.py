"""What every way of proving an identity has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from airflow_provider_elasticjobs.authentication.token_cache import CachedToken
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError

__all__ = ["DEFAULT_TOKEN_SCOPE", "Authentication"]

#: Audience of Azure SQL in the public cloud; the sovereign clouds have their own.
DEFAULT_TOKEN_SCOPE = "https://database.windows.net/.default"  # noqa: S105 - an audience, no secret


class Authentication(ABC):
    """One way of proving an identity to the server. Instances are immutable, hashable, and hide secrets from ``repr``.

    Class data: :attr:`method` is the name in a connection's ``authentication`` field; :attr:`required_fields` and
    :attr:`secret_fields` name fields of :meth:`from_fields`.
    """

    method: ClassVar[str]
    required_fields: ClassVar[tuple[str, ...]] = ()
    secret_fields: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def from_fields(cls, fields: Mapping[str, str | None]) -> Authentication:
        """Build from a connection's fields: ``login``, ``password``, ``client_id``, ``tenant_id``, ``token_scope``.

        :param fields: empty ones may be missing, ``None`` or ``""``.
        :raises ConnectionSettingsError: if a required one is empty; the message names it.
        """

    @abstractmethod
    def keywords(self) -> dict[str, str]:
        """Return the keywords of the connection string that carry the identity; may hold secrets."""

    @abstractmethod
    def access_token(self) -> CachedToken | None:
        """Return a token that is valid for some minutes, or ``None`` for a method without tokens.

        :raises LoginFailedError: if none can be had.
        """

    def token_after_refusal(self, refused: CachedToken) -> CachedToken | None:  # noqa: ARG002 some have no tokens
        """Return another token, if a server may have refused one because of its age.

        :param refused: the token that the server refused.
        :return: a newer token, or ``None`` if the reason must be another, or there is none.
        """
        return None

    @property
    @abstractmethod
    def label(self) -> str:
        """The identity in a few words, for messages; holds no secret."""

    @classmethod
    def missing_fields(cls, fields: Mapping[str, str | None]) -> list[str]:
        """Return the required fields that are empty.

        :param fields: as for :meth:`from_fields`.
        """
        return [name for name in cls.required_fields if not fields.get(name)]

    @classmethod
    def check(cls, fields: Mapping[str, str | None]) -> None:
        """Refuse fields that lack a required one.

        :param fields: as for :meth:`from_fields`.
        :raises ConnectionSettingsError: naming what is missing.
        """
        missing = cls.missing_fields(fields)
        if missing:
            raise ConnectionSettingsError(f"authentication '{cls.method}' needs the field(s) {', '.join(missing)}")
