"""Target groups in the job database: their members become what a DAG says (reference 1.9 to 1.12, 2.6, 2.7)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID, uuid4

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import Session
from airflow_provider_elasticjobs.model.targets import Member, TargetGroup

__all__ = ["LIVE", "Runner", "matching_group", "write_group"]

#: ``tombstone_id`` of what is not deleted.
LIVE = "00000000-0000-0000-0000-000000000000"


class Runner(Protocol):
    """What runs batches: the database itself, or a session in a transaction."""

    def run(self, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> list[Any]:
        """Run a batch, and return the rows of its last result set."""

    def results(self, batch: Batch, /, rows: Sequence[Sequence[object]] = (), **values: object) -> list[list[Any]]:
        """Run a batch, and return the rows of each result set."""


class _Membership(NamedTuple):
    """A member as the tables hold it; '' for none."""

    target_type: str
    server_name: str
    database_name: str
    elastic_pool_name: str
    refresh_credential_name: str
    variant: str
    membership_type: str
    conn_id: str
    shard_map_name: str = ""
    definition: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        return (*(value.casefold() for value in self[:7]), self.conn_id)


def _membership(member: Member) -> _Membership:
    names = member.names()
    definition = member.definition()
    return _Membership(
        str(member.target_type),
        names.get("server_name", ""),
        names.get("database_name", ""),
        names.get("elastic_pool_name", ""),
        getattr(member, "refresh_conn_id", None) or "",
        member.variant,
        str(member.membership_type),
        member.conn_id or "",
        names.get("shard_map_name", ""),
        json.dumps(definition, ensure_ascii=False) if definition else "",
    )


_MEMBERS = """
SELECT m.target_id, t.target_type, t.server_name, t.database_name, t.elastic_pool_name, t.refresh_credential_name,
    t.variant, m.membership_type, COALESCE(m.conn_id, N'') AS conn_id
FROM jobs_internal.target_groups AS g
INNER JOIN jobs_internal.target_group_members AS m ON m.target_group_id = g.target_group_id
INNER JOIN jobs_internal.targets AS t ON t.target_id = m.target_id
WHERE g.target_group_name = @name AND g.tombstone_id = @live;
"""
_READ = Batch(
    f"""
SELECT target_group_id FROM jobs_internal.target_groups WHERE target_group_name = @name AND tombstone_id = @live;
{_MEMBERS}
""",
    name="nvarchar(128)",
    live="uniqueidentifier",
)
_CREATE = Batch(
    """
INSERT INTO jobs_internal.target_groups (target_group_id, target_group_name, tombstone_id, create_time)
VALUES (@group, @name, @live, @now);
""",
    group="uniqueidentifier",
    name="nvarchar(128)",
    live="uniqueidentifier",
)
#: The procedures of schema jobs lock a group by such a write, and a group before a job.
_LOCK = Batch(
    "UPDATE jobs_internal.target_groups SET create_time = create_time"
    " WHERE target_group_name = @name AND tombstone_id = @live;",
    name="nvarchar(128)",
    live="uniqueidentifier",
)
_REMOVE = Batch(
    """
DELETE FROM jobs_internal.target_group_members
WHERE target_group_id = @group AND target_id IN (SELECT v.target_id FROM ({rows}) AS v (target_id));
""",
    rows=("uniqueidentifier",),
    group="uniqueidentifier",
)

_COLUMNS = "target_type, server_name, database_name, elastic_pool_name, refresh_credential_name, variant"
_SAME = " AND ".join(f"t.{column} = v.{column}" for column in _COLUMNS.split(", "))
_TEXTS = ("nvarchar(128)", "nvarchar(256)", "nvarchar(128)", "nvarchar(128)", "nvarchar(128)", "nvarchar(64)")
_ADD_TARGETS = Batch(
    f"""
INSERT INTO jobs_internal.targets (target_id, {_COLUMNS}, shard_map_name, definition)
SELECT NEWID(), {", ".join(f"v.{column}" for column in _COLUMNS.split(", "))},
    NULLIF(v.shard_map_name, N''), NULLIF(v.definition, N'')
FROM ({{rows}}) AS v ({_COLUMNS}, shard_map_name, definition)
WHERE NOT EXISTS (SELECT 1 FROM jobs_internal.targets AS t WHERE {_SAME});
""",
    rows=(*_TEXTS, "nvarchar(128)", "nvarchar(max)"),
)
_ADD = Batch(
    f"""
INSERT INTO jobs_internal.target_group_members (target_group_id, target_id, membership_type, conn_id)
SELECT @group, t.target_id, v.membership_type, NULLIF(v.conn_id, N'')
FROM ({{rows}}) AS v ({_COLUMNS}, membership_type, conn_id)
INNER JOIN jobs_internal.targets AS t ON {_SAME};
""",
    rows=(*_TEXTS, "nvarchar(7)", "nvarchar(250)"),
    group="uniqueidentifier",
)


def _read(runner: Runner, group: TargetGroup) -> tuple[UUID | None, dict[tuple[str, ...], UUID]]:
    """Return the group's id and its members, each with its target's id."""
    groups, members = runner.results(_READ, name=group.name, live=LIVE)
    found = {_Membership(*row[1:9]).key: UUID(str(row.target_id)) for row in members}
    return (UUID(str(groups[0].target_group_id)) if groups else None), found


def matching_group(runner: Runner, group: TargetGroup) -> UUID | None:
    """Return the id of the group if it is stored with exactly these members, else None."""
    group_id, stored = _read(runner, group)
    wanted = {_membership(member).key for member in group.members}
    return group_id if stored.keys() == wanted else None


def write_group(session: Session, group: TargetGroup) -> UUID:
    """Make the group's members what ``group`` says, and return its id.

    :param session: a session in a transaction that keeps other writers of definitions out.
    :param group: the group as a DAG defines it.
    """
    session.run(_LOCK, name=group.name, live=LIVE)
    group_id, stored = _read(session, group)
    if group_id is None:
        group_id = uuid4()
        session.run(_CREATE, group=group_id, name=group.name, live=LIVE)
    wanted = {membership.key: membership for membership in map(_membership, group.members)}
    surplus = [(stored[key],) for key in stored.keys() - wanted.keys()]
    missing = [wanted[key] for key in wanted if key not in stored]
    for chunk in _chunks(surplus, _REMOVE.rows_at_once):
        session.run(_REMOVE, chunk, group=group_id)
    for members in _chunks(missing, min(_ADD.rows_at_once, _ADD_TARGETS.rows_at_once)):
        session.run(_ADD_TARGETS, [(*member[:6], *member[8:]) for member in members])
        session.run(_ADD, [member[:8] for member in members], group=group_id)
    return group_id


def _chunks(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
