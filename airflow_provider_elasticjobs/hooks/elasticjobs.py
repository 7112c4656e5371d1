"""``ElasticJobsHook``: an Airflow connection is one identity; server and database are arguments."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from airflow.providers.common.compat.sdk import conf

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.driver import find_driver, load_pyodbc
from airflow_provider_elasticjobs.connections.fields import settings_from_fields
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError, ElasticJobsError

try:
    from airflow.providers.odbc.hooks.odbc import OdbcHook
except ImportError:
    load_pyodbc()  # if a system library is missing, this says which package brings it
    raise

if TYPE_CHECKING:
    import pyodbc

__all__ = ["ElasticJobsHook"]

_CONNECTION_TYPES = ("elasticjobs", "mssql", "odbc")
_WHO_AM_I = "SELECT CAST(@@SERVERNAME AS nvarchar(256)), DB_NAME(), SUSER_SNAME()"


class ElasticJobsHook(OdbcHook):
    """Connects to databases with one identity: SQL login, managed identity, service principal, workload identity.

    Serves connections of the types ``elasticjobs``, ``mssql`` and ``odbc``. Of their extra fields only known ones are
    used, and none reaches the driver as it is; a warning names the others once.

    :param elasticjobs_conn_id: the Airflow connection.
    :param server: logical server, instead of the connection's host.
    :param database: database, instead of the connection's schema; ``master`` if there is neither.
    :param application_name: what the server shows for the sessions, at most 128 characters.
    :param kwargs: for :class:`~airflow.providers.odbc.hooks.odbc.OdbcHook`; ``driver`` is honoured, ``dsn`` and
        ``connect_kwargs`` are refused.
    """

    conn_name_attr = "elasticjobs_conn_id"
    default_conn_name = "elasticjobs_default"
    conn_type = "elasticjobs"
    hook_name = "Elastic Jobs (Azure SQL, SQL Server)"
    supports_autocommit = True
    _placeholder = "?"

    def __init__(
        self,
        *args: Any,
        server: str | None = None,
        database: str | None = None,
        application_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        refused = sorted(name for name in ("dsn", "connect_kwargs") if kwargs.get(name))
        if refused:
            raise ConnectionSettingsError(
                f"ElasticJobsHook takes no {' or '.join(refused)}; use the connection's fields"
            )
        super().__init__(*args, database=database, **kwargs)
        self._server = server
        self._application_name = application_name

    @cached_property
    def settings(self) -> ConnectionSettings:
        """What the Airflow connection says; the identity's secret is in it, hidden from ``repr``.

        :raises ConnectionSettingsError: if the connection's type or a field is not usable; names the connection.
        """
        connection = self.connection
        name = self.get_conn_id()
        if connection.conn_type not in _CONNECTION_TYPES:
            kinds = ", ".join(_CONNECTION_TYPES)
            raise ConnectionSettingsError(f"connection '{name}' has type '{connection.conn_type}'; needed: {kinds}")
        try:
            settings = settings_from_fields(
                login=connection.login,
                password=connection.password,
                host=connection.host,
                port=connection.port,
                schema=connection.schema,
                extra={**connection.extra_dejson, **({"driver": self._driver} if self._driver else {})},
                allow_driver_path=bool(self._driver) or _driver_allowed_in_extra(),
            )
        except ConnectionSettingsError as error:
            failure = ConnectionSettingsError(f"connection '{name}': {error}")
        else:
            self._warn_of(settings.ignored_extras)
            return settings
        raise failure

    def connect(
        self,
        server: str | None = None,
        database: str | None = None,
        application_name: str | None = None,
        *,
        autocommit: bool = True,
    ) -> pyodbc.Connection:
        """Open a connection to one database.

        :param server: logical server; the hook's, then the connection's, if ``None``.
        :param database: database; the hook's, then the connection's, then ``master``, if ``None``.
        :param application_name: shown by the server for the session; the hook's if ``None``.
        :param autocommit: whether each statement commits by itself.
        :raises TargetConnectionError: or a child of it, naming server and database.
        """
        return connect(
            self.settings,
            server or self._server,
            database or self._database,
            application_name=application_name or self._application_name,
            autocommit=autocommit,
        )

    def get_conn(self) -> pyodbc.Connection:
        """Open a connection to the hook's server and database, autocommit off, as ``DbApiHook`` expects it."""
        return self.connect(autocommit=False)

    def test_connection(self) -> tuple[bool, str]:  # type: ignore[override]  # the base has no annotation
        """Connect and ask the server who it takes this identity for; answers Airflow's "Test connection" button."""
        try:
            connection = self.connect()
            try:
                server, database, login = connection.execute(_WHO_AM_I).fetchone()
            finally:
                connection.close()
        except ElasticJobsError as error:
            return False, str(error)
        except Exception as error:  # noqa: BLE001 - the form shows whatever went wrong, never a traceback
            return False, f"{type(error).__name__} while asking the server: {error}"
        return True, f"Connected to {server}/{database} as {login}."

    @property
    def driver(self) -> str:
        """Name or path of the ODBC driver that will be used.

        :raises DriverNotFoundError: if there is none.
        """
        return find_driver(self.settings.driver)

    @property
    def odbc_connection_string(self) -> str:
        """Where this hook connects to, without the identity: safe to show, not enough to connect with."""
        server = self._server or self.settings.server or ""
        database = self._database or self.settings.database or "master"
        return f"Server={server};Database={database}"

    @property
    def connect_kwargs(self) -> dict[str, Any]:
        """Empty: nothing from outside is spread into the driver call."""
        return {}

    def get_uri(self) -> str:
        """Return a URI that names server and database and holds no secret; SQLAlchemy connects by :meth:`get_conn`."""
        return f"{self.sqlalchemy_scheme}:///?odbc_connect={quote_plus(self.odbc_connection_string)}"

    def _warn_of(self, names: tuple[str, ...]) -> None:
        if names:
            self.log.warning("Connection %s: extra field(s) not used: %s", self.get_conn_id(), ", ".join(names))


def _driver_allowed_in_extra() -> bool:
    return bool(conf.getboolean("providers.odbc", "allow_driver_in_extra", fallback=False))
