"""Asking servers how large their databases are, with Airflow's connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.model.targets import Target, TargetGroup
from airflow_provider_elasticjobs.targets.sizes import sizes_of
from airflow_provider_elasticjobs.triggers.process import connection_settings

if TYPE_CHECKING:
    import pyodbc

__all__ = ["measurer"]


def measurer(
    group: TargetGroup,
    conn_id: str,
    warn: Callable[[str], None],
    *,
    settings_of: Callable[[str], ConnectionSettings] = connection_settings,
) -> Callable[[Sequence[Target]], dict[tuple[str, str], float]]:
    """Return a function that tells the sizes of targets in MiB, as far as their servers tell them.

    A server is asked with the refresh connection of the group's member for it.

    :param group: the group that the targets came from.
    :param conn_id: Airflow connection that asks servers for which no member names one.
    :param warn: receives a sentence for each server that did not tell.
    :param settings_of: looks a connection up; a test gives its own.
    """

    def measure(targets: Sequence[Target]) -> dict[tuple[str, str], float]:
        named = {
            str(getattr(member, "server_name", "")).casefold(): refresh_conn_id
            for member in group.members
            if (refresh_conn_id := getattr(member, "refresh_conn_id", None))
        }
        servers = {target.server_name.casefold() for target in targets}
        # Looked up before, because servers are asked in threads.
        settings = {server: settings_of(named.get(server) or conn_id) for server in servers}

        def open_master(server_name: str) -> pyodbc.Connection:
            return connect(settings[server_name.casefold()], server_name, "master", application_name="elasticjobs")

        return sizes_of(targets, open_master, warn)

    return measure
