"""Asking servers for their databases with Airflow's connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.model.targets import TargetGroup
from airflow_provider_elasticjobs.targets.enumerate import enumerate_with
from airflow_provider_elasticjobs.targets.resolve import Resolution, resolve
from airflow_provider_elasticjobs.triggers.process import connection_settings

if TYPE_CHECKING:
    import pyodbc

__all__ = ["resolver"]


def resolver(
    conn_id: str, *, settings_of: Callable[[str], ConnectionSettings] = connection_settings
) -> Callable[[TargetGroup], Resolution]:
    """Return a function that resolves a group.

    :param conn_id: Airflow connection that lists databases, for members that name none.
    :param settings_of: looks a connection up; a test gives its own.
    """

    def resolve_group(group: TargetGroup) -> Resolution:
        asked = [member for member in group.members if member.is_enumerated]
        wanted = {getattr(member, "refresh_conn_id", None) or conn_id for member in asked}
        # Looked up before, because servers are asked in threads.
        settings = {refresh_conn_id: settings_of(refresh_conn_id) for refresh_conn_id in wanted}

        def open_master(server_name: str, refresh_conn_id: str | None) -> pyodbc.Connection:
            return connect(settings[refresh_conn_id or conn_id], server_name, "master", application_name="elasticjobs")

        return resolve(group, enumerate_with(open_master))

    return resolve_group
