"""Ways to the targets that rows of the job database name, by Airflow's connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.connections.connect import connector
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import ConnectionSettingsError
from airflow_provider_elasticjobs.execution.attempt import Connector
from airflow_provider_elasticjobs.triggers.process import connection_settings

__all__ = ["connectors"]


def connectors(
    default_conn_id: str,
    *,
    login_timeout: int | None = None,
    settings_of: Callable[[str], ConnectionSettings] = connection_settings,
) -> Callable[[str | None], Connector]:
    """Return a function from the Airflow connection that a row names to what opens connections to targets.

    :param default_conn_id: for rows that name none.
    :param login_timeout: seconds to wait for a server, in place of the connection's own.
    :param settings_of: looks a connection up; a test gives its own.
    """

    def connector_of(conn_id: str | None) -> Connector:
        try:
            settings = settings_of(conn_id or default_conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionSettingsError(str(error)) from error
        if login_timeout is not None:
            settings = replace(settings, login_timeout=login_timeout)
        return connector(settings)

    return connector_of
