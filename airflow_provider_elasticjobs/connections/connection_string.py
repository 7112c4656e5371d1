"""Building the text that ``pyodbc.connect`` takes: known keywords only, every value escaped."""

from __future__ import annotations

from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError

__all__ = ["APPLICATION_NAME", "application_name_of", "connection_string", "escaped"]

APPLICATION_NAME = "airflow-elasticjobs"
_NAME_LENGTH = 128  # characters of program_name in sys.dm_exec_sessions
_PLAIN_VALUES = frozenset({"yes", "no", "strict", "0"})


def application_name_of(execution_id: object | None) -> str:
    """Return the application name that carries an execution's id, so that a DBA finds it in ``sys.dm_exec_sessions``.

    :param execution_id: id of the job execution on one target; ``None`` for a connection outside of one.
    """
    return APPLICATION_NAME if execution_id is None else f"{APPLICATION_NAME} {execution_id}"[:_NAME_LENGTH]


def connection_string(
    settings: ConnectionSettings, driver: str, server: str, database: str, *, application_name: str | None = None
) -> str:
    """Return the connection string; it holds the password, if there is one.

    ``ConnectRetryCount=0`` because a connection that the driver re-opened by itself has lost the script's session:
    its application lock, its settings, its temporary tables.

    :param settings: identity and transport.
    :param driver: name or path of the driver.
    :param server: logical server name.
    :param database: database name.
    :param application_name: shown by the server; cut at 128 characters.
    :raises ConnectionSettingsError: if a value cannot be written (NUL, or a driver with a brace).
    """
    if "}" in driver:
        raise ConnectionSettingsError("the driver's name or path must not hold a brace")
    keywords = {
        "Server": settings.address_of(server).keyword(),
        "Database": database,
        **settings.authentication.keywords(),
        "Encrypt": settings.encrypt,
        "TrustServerCertificate": "yes" if settings.trust_server_certificate else "no",
        "HostNameInCertificate": settings.expected_name(server),
        "ServerCertificate": settings.server_certificate,
        "APP": (application_name or APPLICATION_NAME)[:_NAME_LENGTH],
        "MARS_Connection": "no",
        "ConnectRetryCount": "0",
    }
    pairs = [f"{name}={escaped(value)}" for name, value in keywords.items() if value is not None]
    # The driver comes first: the driver manager takes the first occurrence, whatever a later value looks like.
    return ";".join([f"Driver={{{driver}}}", *pairs])


def escaped(value: str) -> str:
    """Return a value in braces, ``}`` doubled, so that no character of it can end it.

    :param value: any text without NUL.
    :raises ConnectionSettingsError: if it holds a NUL character.
    """
    if "\0" in value:
        raise ConnectionSettingsError("a connection value must not hold a NUL character")
    return value if value in _PLAIN_VALUES else "{" + value.replace("}", "}}") + "}"
