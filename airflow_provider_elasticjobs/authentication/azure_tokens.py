"""Identities of Microsoft Entra: managed identity, service principal, workload identity, the default chain.

``azure-identity`` is imported when a token is first needed.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from airflow_provider_elasticjobs.authentication.base import DEFAULT_TOKEN_SCOPE, Authentication
from airflow_provider_elasticjobs.authentication.token_cache import CachedToken, process_token_cache
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, LoginFailedError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from typing_extensions import Self

__all__ = ["DefaultCredential", "ManagedIdentity", "ServicePrincipal", "TokenAuthentication", "WorkloadIdentity"]


class _Closable:
    """A credential with a ``close`` in any case: the protocol does not ask for one, the real ones have it."""

    def __init__(self, credential: TokenCredential) -> None:
        self.credential = credential

    def close(self) -> None:
        close = getattr(self.credential, "close", None)
        if close is not None:
            close()


@dataclass(frozen=True)
class TokenAuthentication(Authentication):
    """Base of the methods that present an access token.

    :param client_id: application (client) id of the identity.
    :param tenant_id: directory (tenant) id.
    :param token_scope: audience of the token; differs in the sovereign clouds.
    """

    client_id: str | None = None
    tenant_id: str | None = None
    token_scope: str = DEFAULT_TOKEN_SCOPE

    #: What to look at when no token is to be had; the library's own words often miss it.
    advice: ClassVar[str] = "Check the tenant, the client id and the secret, and that the directory can be reached."

    @classmethod
    def from_fields(cls, fields: Mapping[str, str | None]) -> Self:
        """Take ``client_id`` (or ``login`` in its place), ``tenant_id`` and ``token_scope``."""
        cls.check(fields)
        return cls(
            client_id=fields.get("client_id") or fields.get("login") or None,
            tenant_id=fields.get("tenant_id") or None,
            token_scope=fields.get("token_scope") or DEFAULT_TOKEN_SCOPE,
        )

    @abstractmethod
    def credential(self) -> TokenCredential:
        """Return a new ``azure-identity`` credential."""

    def keywords(self) -> dict[str, str]:
        """Return nothing: the token is passed apart, and must not meet a name or a password."""
        return {}

    def access_token(self) -> CachedToken:
        """Return a token from this process's cache, fetched or renewed when due."""
        return process_token_cache().get(self, self._fetch)

    def token_after_refusal(self, refused: CachedToken) -> CachedToken | None:
        """Return a token that was fetched after this one, now if nobody else did."""
        with suppress(LoginFailedError):
            return process_token_cache().after_refusal(self, refused, self._fetch)
        return None

    def _fetch(self) -> CachedToken:
        failure = "azure-identity is not installed (pip install azure-identity)"
        try:
            with closing(_Closable(self.credential())) as opened:
                token = opened.credential.get_token(self.token_scope)
            return CachedToken(token.token, float(token.expires_on))
        except ImportError:
            pass
        except Exception as error:  # noqa: BLE001 - azure-identity passes on what its transport raises
            failure = f"{type(error).__name__}: {self._without_secrets(str(error))}"
        # Raised outside of the handler: the original error holds the request, and with it the secret.
        raise LoginFailedError(f"no access token for {self.label}: {failure.rstrip('.')}. {self.advice}")

    def _without_secrets(self, text: str) -> str:
        for name in self.secret_fields:
            secret = getattr(self, name)
            text = text.replace(secret, "***") if secret else text
        return text


@dataclass(frozen=True)
class ManagedIdentity(TokenAuthentication):
    """The identity of the machine: user-assigned if a client id is given, else system-assigned."""

    method: ClassVar[str] = "managed_identity"
    advice: ClassVar[str] = (
        "Check that the identity is assigned to this machine and that its identity endpoint answers;"
        " it may be throttling or down."
    )

    def credential(self) -> TokenCredential:
        """Return a ``ManagedIdentityCredential``."""
        from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - an optional package

        return ManagedIdentityCredential(client_id=self.client_id)

    @property
    def label(self) -> str:
        """``managed identity '<client id>'``."""
        return f"managed identity '{self.client_id}'" if self.client_id else "the system-assigned managed identity"


@dataclass(frozen=True)
class ServicePrincipal(TokenAuthentication):
    """An application of the directory, with a client secret.

    :param client_secret: the secret; a connection keeps it in its password.
    """

    method: ClassVar[str] = "service_principal"
    required_fields: ClassVar[tuple[str, ...]] = ("tenant_id", "password")
    secret_fields: ClassVar[tuple[str, ...]] = ("client_secret",)

    client_secret: str = field(default="", repr=False)

    @classmethod
    def from_fields(cls, fields: Mapping[str, str | None]) -> ServicePrincipal:
        """Take ``client_id`` (or ``login``), ``tenant_id``, and ``password`` as the client secret."""
        cls.check(fields)
        client_id = fields.get("client_id") or fields.get("login")
        if not client_id:
            raise ConnectionSettingsError(f"authentication '{cls.method}' needs the field login (the client id)")
        return cls(
            client_id=client_id,
            tenant_id=fields.get("tenant_id"),
            token_scope=fields.get("token_scope") or DEFAULT_TOKEN_SCOPE,
            client_secret=fields.get("password") or "",
        )

    def credential(self) -> TokenCredential:
        """Return a ``ClientSecretCredential``."""
        from azure.identity import ClientSecretCredential  # noqa: PLC0415 - an optional package

        return ClientSecretCredential(self.tenant_id or "", self.client_id or "", self.client_secret)

    @property
    def label(self) -> str:
        """``service principal '<client id>'``."""
        return f"service principal '{self.client_id}'"


@dataclass(frozen=True)
class WorkloadIdentity(TokenAuthentication):
    """A Kubernetes service account federated with the directory; what is not given comes from the environment."""

    method: ClassVar[str] = "workload_identity"
    advice: ClassVar[str] = (
        "Check the tenant, the client id, AZURE_FEDERATED_TOKEN_FILE and the federated credential of the identity, and"
        " that the directory can be reached."
    )

    def credential(self) -> TokenCredential:
        """Return a ``WorkloadIdentityCredential``; ``AZURE_FEDERATED_TOKEN_FILE`` names the token's file."""
        from azure.identity import WorkloadIdentityCredential  # noqa: PLC0415 - an optional package

        return WorkloadIdentityCredential(
            client_id=self.client_id or os.environ.get("AZURE_CLIENT_ID"),
            tenant_id=self.tenant_id or os.environ.get("AZURE_TENANT_ID"),
        )

    @property
    def label(self) -> str:
        """``workload identity '<client id>'``."""
        return f"workload identity '{self.client_id or os.environ.get('AZURE_CLIENT_ID', 'of the environment')}'"


@dataclass(frozen=True)
class DefaultCredential(TokenAuthentication):
    """``DefaultAzureCredential``: environment, workload identity, managed identity, developer tools, in that order."""

    method: ClassVar[str] = "default"
    advice: ClassVar[str] = "Check which of its ways should work on this machine, and name that one in its place."

    def credential(self) -> TokenCredential:
        """Return a ``DefaultAzureCredential`` that opens no browser."""
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - an optional package

        return DefaultAzureCredential(
            managed_identity_client_id=self.client_id,
            workload_identity_tenant_id=self.tenant_id,
            exclude_interactive_browser_credential=True,
        )

    @property
    def label(self) -> str:
        """``the default Azure credential``."""
        return "the default Azure credential"
