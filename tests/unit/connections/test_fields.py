from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_elasticjobs.authentication import (
    DefaultCredential,
    ManagedIdentity,
    ServicePrincipal,
    SqlLogin,
    WorkloadIdentity,
)
from airflow_provider_elasticjobs.connections.addresses import Address
from airflow_provider_elasticjobs.connections.fields import settings_from_fields
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError
from airflow_provider_elasticjobs.tsql.error_numbers import DEFAULT_ERRORS, ErrorTable


def of(extra: dict[str, Any] | None = None, **fields: Any) -> ConnectionSettings:
    return settings_from_fields(**{"login": "u", "password": "p", "extra": extra, **fields})


def test_the_plain_fields_and_the_defaults() -> None:
    settings = of(host="tcp:s.database.windows.net", port=1500, schema="db")
    assert settings == ConnectionSettings(SqlLogin("u", "p"), "s.database.windows.net", "db", 1500)
    assert settings.encrypt == "yes"
    assert not settings.trust_server_certificate
    assert settings.login_timeout == 30


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"authentication": "managed_identity", "client_id": "c"}, ManagedIdentity(client_id="c")),
        ({"authentication": "managed_identity"}, ManagedIdentity(client_id="u")),
        (
            {"authentication": "service_principal", "tenant_id": "t"},
            ServicePrincipal(client_id="u", tenant_id="t", client_secret="p"),
        ),
        ({"authentication": "workload_identity", "tenant_id": "t"}, WorkloadIdentity(client_id="u", tenant_id="t")),
        ({"authentication": "default", "token_scope": "x"}, DefaultCredential(client_id="u", token_scope="x")),
        ({"Authentication": "ActiveDirectoryMsi", "ClientID": "c"}, ManagedIdentity(client_id="c")),
        ({"Authentication": "SqlPassword"}, SqlLogin("u", "p")),
    ],
)
def test_each_identity_is_read(extra: dict[str, Any], expected: object) -> None:
    assert of(extra).authentication == expected


def test_odbc_spellings_of_other_connection_types_are_understood() -> None:
    settings = of(
        {
            "Driver": "ODBC Driver 18 for SQL Server",
            "Encrypt": "Strict",
            "TrustServerCertificate": "yes",
            "HostNameInCertificate": "name",
            "ServerCertificate": "/x.pem",
            "Connect Timeout": "7",
            "MultipleActiveResultSets": "True",
            "sqlalchemy_scheme": "mssql+pyodbc",
        }
    )
    assert settings.driver == "ODBC Driver 18 for SQL Server"
    assert settings.encrypt == "strict"
    assert settings.trust_server_certificate
    assert settings.hostname_in_certificate == "name"
    assert settings.server_certificate == "/x.pem"
    assert settings.login_timeout == 7
    assert settings.ignored_extras == ()


def test_unknown_extras_are_named_and_used_for_nothing() -> None:
    settings = of({"ApplicationIntent": "ReadOnly", "PWD": "other", "zeta": 1})
    assert settings.ignored_extras == ("ApplicationIntent", "PWD", "zeta")
    assert settings.authentication == SqlLogin("u", "p")


def test_empty_fields_of_the_form_mean_the_default() -> None:
    empty: dict[str, Any] = dict.fromkeys(("authentication", "encrypt", "login_timeout", "driver", "host_map"), "")
    assert of(empty) == of(dict.fromkeys(empty)) == of()


@pytest.mark.parametrize(
    ("extra", "named"),
    [
        ({"authentication": "kerberos"}, "kerberos"),
        ({"encrypt": "maybe"}, "encrypt"),
        ({"trust_server_certificate": "perhaps"}, "trust_server_certificate"),
        ({"login_timeout": "soon"}, "login_timeout"),
        ({"login_timeout": 0}, "login_timeout"),
        ({"host_map": "x"}, "host_map"),
        ({"server_certificate": "/x.pem"}, "strict"),  # the driver would pass over the file without a word
        ({"authentication": "service_principal"}, "tenant_id"),
    ],
)
def test_a_wrong_field_is_named(extra: dict[str, Any], named: str) -> None:
    with pytest.raises(ConnectionSettingsError, match=named):
        of(extra)


def test_a_sql_login_needs_a_password() -> None:
    with pytest.raises(ConnectionSettingsError, match="password"):
        of(password=None)


@pytest.mark.parametrize("driver", ["/lib/evil.so", "../evil.so", "FreeTDS", "ODBC Driver 18 for SQL Server;PWD=x"])
def test_a_library_named_in_a_connection_is_loaded_only_when_allowed(driver: str) -> None:
    with pytest.raises(ConnectionSettingsError, match="allow_driver_in_extra"):
        of({"driver": driver})
    assert of({"driver": driver}, allow_driver_path=True).driver == driver


def test_a_mapped_server_is_dialled_elsewhere_and_keeps_its_name_in_the_certificate() -> None:
    settings = of({"host_map": {"S.database.windows.net": "10.0.0.5"}}, port=1500)
    assert settings.address_of("s.DATABASE.windows.net") == Address("10.0.0.5", 1500)
    assert settings.expected_name("s.DATABASE.windows.net") == "s.DATABASE.windows.net"
    assert settings.address_of("other") == Address("other", 1500)
    assert settings.expected_name("other") is None
    assert settings.address_of("other,99") == Address("other", 99)


def test_a_named_certificate_name_wins() -> None:
    settings = of({"host_map": {"s": "10.0.0.5"}, "hostname_in_certificate": "cert"})
    assert settings.expected_name("s") == settings.expected_name("other") == "cert"


def test_a_named_instance_gets_no_port() -> None:
    assert of(port=1500).address_of(r"s\INST") == Address(r"s\INST")


def test_no_secret_is_shown() -> None:
    assert "hidden" not in repr(of(password="hidden"))


@pytest.mark.parametrize("classes", [{"throttled": [50123]}, '{"throttled": [50123]}'], ids=["object", "text"])
def test_error_classes_put_numbers_into_other_classes(classes: object) -> None:
    settings = of({"error_classes": classes})
    assert settings.errors == ErrorTable.overridden({"throttled": [50123]})
    assert settings.ignored_extras == ()
    assert of().errors == DEFAULT_ERRORS


@pytest.mark.parametrize("classes", ["{", "[50123]", 5, {"busy": [1]}, {"throttled": "1"}])
def test_error_classes_that_make_no_sense_are_refused(classes: object) -> None:
    with pytest.raises(ConnectionSettingsError, match="error_classes"):
        of({"error_classes": classes})
