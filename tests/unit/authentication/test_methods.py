from __future__ import annotations

import sys
import traceback
import uuid
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import (
    METHODS,
    DefaultCredential,
    ManagedIdentity,
    ServicePrincipal,
    SqlLogin,
    WorkloadIdentity,
    authentication_from_fields,
)
from airflow_provider_elasticjobs.authentication.azure_tokens import TokenAuthentication
from airflow_provider_elasticjobs.authentication.token_cache import CachedToken
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, LoginFailedError

_SECRET = "s3cr3t-value"
_FIELDS: Mapping[str, str | None] = {
    "login": "name",
    "password": _SECRET,
    "client_id": "cid",
    "tenant_id": "tid",
    "token_scope": None,
}


@pytest.mark.parametrize("method", sorted(METHODS))
def test_no_method_shows_a_secret(method: str) -> None:
    identity = authentication_from_fields(method, _FIELDS)
    assert _SECRET not in repr(identity)
    assert _SECRET not in str(identity)
    assert _SECRET not in identity.label


@pytest.mark.parametrize("method", sorted(METHODS))
def test_each_required_field_is_asked_for_by_name(method: str) -> None:
    for name in METHODS[method].required_fields:
        with pytest.raises(ConnectionSettingsError, match=name):
            authentication_from_fields(method, {**_FIELDS, name: ""})


@pytest.mark.parametrize("method", sorted(METHODS))
def test_equal_fields_are_an_equal_identity(method: str) -> None:
    first, second = (authentication_from_fields(method, _FIELDS) for _ in range(2))
    assert first == second
    assert hash(first) == hash(second)


def test_a_changed_secret_is_another_identity() -> None:
    first = ServicePrincipal(client_id="c", tenant_id="t", client_secret="old")
    assert first != ServicePrincipal(client_id="c", tenant_id="t", client_secret="new")


@pytest.mark.parametrize("method", [None, "", "SQL_Login ", "sql_login"])
def test_a_sql_login_is_the_default(method: str | None) -> None:
    identity = authentication_from_fields(method, _FIELDS)
    assert identity == SqlLogin("name", _SECRET)
    assert identity.keywords() == {"UID": "name", "PWD": _SECRET}
    assert identity.access_token() is None  # type: ignore[func-returns-value]
    assert identity.token_after_refusal(CachedToken("a token", 2.0**40)) is None


def test_an_unknown_method_names_those_that_exist() -> None:
    with pytest.raises(ConnectionSettingsError, match="managed_identity, service_principal"):
        authentication_from_fields("kerberos", _FIELDS)


def test_a_managed_identity_without_client_id_is_system_assigned() -> None:
    assert ManagedIdentity.from_fields({}).client_id is None
    assert ManagedIdentity.from_fields({}).label == "the system-assigned managed identity"
    assert ManagedIdentity.from_fields({"login": "cid"}).client_id == "cid"
    assert ManagedIdentity.from_fields({"login": "x", "client_id": "cid"}).label == "managed identity 'cid'"


def test_a_service_principal_takes_the_login_as_client_id_and_needs_one() -> None:
    assert ServicePrincipal.from_fields({**_FIELDS, "client_id": ""}).client_id == "name"
    with pytest.raises(ConnectionSettingsError, match="client id"):
        ServicePrincipal.from_fields({**_FIELDS, "client_id": "", "login": ""})


def test_workload_identity_takes_from_the_environment_what_is_not_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("x")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(token_file))
    monkeypatch.setenv("AZURE_CLIENT_ID", "from-env")
    monkeypatch.setenv("AZURE_TENANT_ID", "tenant")
    identity = WorkloadIdentity.from_fields({})
    assert identity.label == "workload identity 'from-env'"
    assert identity.credential() is not None


@pytest.mark.parametrize(
    "identity",
    [
        ManagedIdentity(client_id="c"),
        ServicePrincipal(client_id="c", tenant_id="t", client_secret="s"),
        DefaultCredential(client_id="c"),
    ],
)
def test_the_real_credentials_can_be_made_without_a_network(identity: TokenAuthentication) -> None:
    credential = identity.credential()
    assert hasattr(credential, "get_token")


class FakeCredential:
    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.scopes: list[str] = []
        self.closed = False

    def get_token(self, scope: str) -> Any:
        self.scopes.append(scope)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    def close(self) -> None:
        self.closed = True


def _principal(monkeypatch: pytest.MonkeyPatch, credential: FakeCredential) -> ServicePrincipal:
    monkeypatch.setattr(ServicePrincipal, "credential", lambda self: credential)
    return ServicePrincipal(client_id=str(uuid.uuid4()), tenant_id="t", client_secret=_SECRET)


def test_a_token_is_fetched_for_the_scope_and_kept_by_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    credential = FakeCredential(SimpleNamespace(token="T", expires_on=2**40))
    identity = _principal(monkeypatch, credential)
    assert [identity.access_token().text, identity.access_token().text] == ["T", "T"]
    assert credential.scopes == ["https://database.windows.net/.default"]
    assert credential.closed


def test_a_failure_names_the_identity_and_carries_no_secret_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = RuntimeError(f"AADSTS7000215: invalid secret {_SECRET}")
    identity = _principal(monkeypatch, FakeCredential(refused))
    with pytest.raises(LoginFailedError, match="AADSTS7000215") as caught:
        identity.access_token()
    error = caught.value
    assert identity.label in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None
    assert _SECRET not in "".join(traceback.format_exception(error)) + repr(error) + repr(error.args)


def test_a_missing_azure_identity_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(LoginFailedError, match="pip install azure-identity"):
        ManagedIdentity(client_id=str(uuid.uuid4())).access_token()
