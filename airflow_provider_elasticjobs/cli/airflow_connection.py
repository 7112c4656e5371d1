"""Airflow connections, as commands look them up."""

from __future__ import annotations

import os

from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.triggers.process import connection_settings

__all__ = ["settings_of"]


def settings_of(conn_id: str, option: str) -> ConnectionSettings:
    """Return where an Airflow connection leads and as whom.

    :param conn_id: the connection.
    :param option: the command's option that would name another one.
    :raises SystemExit: if there is no such connection.
    """
    # Airflow looks for connections in its own database only in processes that say that they may.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    try:
        return connection_settings(conn_id)
    except AirflowNotFoundException as error:
        raise SystemExit(f"{error}: add the connection, or name another with {option}") from error
