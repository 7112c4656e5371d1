"""Asking servers, catalogs and shard maps for databases with Airflow's connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from airflow_provider_elasticjobs.connections.connect import connect
from airflow_provider_elasticjobs.connections.settings import ConnectionSettings
from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.failed_targets import failed_targets
from airflow_provider_elasticjobs.model.targets import (
    AnyMember,
    FailedTargets,
    ListedMember,
    SqlDatabase,
    SqlShardMap,
    TargetGroup,
)
from airflow_provider_elasticjobs.targets.catalog_query import list_query
from airflow_provider_elasticjobs.targets.enumerate import enumerate_with
from airflow_provider_elasticjobs.targets.listing import Listed
from airflow_provider_elasticjobs.targets.resolve import Resolution, resolve
from airflow_provider_elasticjobs.targets.shard_map import list_shard_map
from airflow_provider_elasticjobs.triggers.process import connection_settings

if TYPE_CHECKING:
    import pyodbc

__all__ = ["resolver"]


def resolver(
    conn_id: str,
    job_database: JobDatabase | None = None,
    *,
    render: Callable[[Any], Any] | None = None,
    settings_of: Callable[[str], ConnectionSettings] = connection_settings,
) -> Callable[[TargetGroup], Resolution]:
    """Return a function that resolves a group.

    :param conn_id: Airflow connection that lists databases, for members that name none.
    :param job_database: where the targets of earlier runs are; needed for groups made of them.
    :param render: renders the templates of a member; left as they are by default.
    :param settings_of: looks a connection up; a test gives its own.
    """

    def resolve_group(written: TargetGroup) -> Resolution:
        group = written if render is None else written.rendered(render)
        # Looked up before, because servers are asked in threads.
        settings = {
            refresh: settings_of(refresh)
            for refresh in {
                getattr(member, "refresh_conn_id", None) or conn_id for member in group.members if _asks(member)
            }
        }

        def open_database(server: str | None, database: str | None, refresh: str | None) -> pyodbc.Connection:
            return connect(settings[refresh or conn_id], server, database, application_name="elasticjobs")

        def list_member(member: ListedMember) -> Sequence[Listed]:
            if isinstance(member, FailedTargets):
                if job_database is None:
                    raise DefinitionError("the targets of a run are in the job database, which is not at hand here")
                return [Listed(target) for target in failed_targets(job_database, member)]
            with closing(open_database(member.server_name, member.database_name, member.refresh_conn_id)) as opened:
                if isinstance(member, SqlShardMap):
                    return list_shard_map(opened, member)
                return list_query(opened, member)

        return resolve(
            group,
            enumerate_with(lambda server, refresh: open_database(server, "master", refresh)),
            list_member,
        )

    return resolve_group


def _asks(member: AnyMember) -> bool:
    """Return whether a connection is needed to find the databases of a member."""
    return not isinstance(member, FailedTargets) and (not isinstance(member, SqlDatabase) or bool(member.variant))
