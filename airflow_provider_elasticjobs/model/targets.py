"""Target groups as an author writes them, and the databases that they resolve to (reference section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.listed_members import (
    FailedTargets,
    ListedMember,
    SqlQueryTargets,
    SqlShardMap,
)
from airflow_provider_elasticjobs.model.members import (
    EnumeratedMember,
    Member,
    MembershipType,
    SqlDatabase,
    SqlElasticPool,
    SqlServer,
    TargetType,
)
from airflow_provider_elasticjobs.model.names import check_name
from airflow_provider_elasticjobs.model.parameters import ParameterValue

__all__ = [
    "AnyMember",
    "EnumeratedMember",
    "FailedTargets",
    "ListedMember",
    "Member",
    "MembershipType",
    "SqlDatabase",
    "SqlElasticPool",
    "SqlQueryTargets",
    "SqlServer",
    "SqlShardMap",
    "Target",
    "TargetGroup",
    "TargetType",
]


AnyMember = EnumeratedMember | ListedMember

_MEMBER_CLASSES: dict[str, type[AnyMember]] = {
    kind.target_type.value.casefold(): kind
    for kind in (SqlServer, SqlElasticPool, SqlDatabase, SqlShardMap, SqlQueryTargets, FailedTargets)
}


def _member_from_json(data: Mapping[str, Any], place: str) -> AnyMember:
    fields = {key: value for key, value in data.items() if value is not None}
    kind = str(fields.pop("target_type", ""))
    membership = str(fields.pop("membership_type", MembershipType.INCLUDE)).casefold()
    if kind.casefold() not in _MEMBER_CLASSES:
        known = ", ".join(member.target_type for member in _MEMBER_CLASSES.values())
        raise DefinitionError(f"{place}: target_type is {kind!r}; it must be one of {known}")
    if membership not in ("include", "exclude"):
        raise DefinitionError(f"{place}: membership_type is {membership!r}; it must be Include or Exclude")
    try:
        return _MEMBER_CLASSES[kind.casefold()](exclude=membership == "exclude", **fields)
    except DefinitionError as error:
        raise DefinitionError(f"{place} ({kind}): {error}") from error
    except TypeError as error:
        # dataclass's own message names the missing or surplus field
        raise DefinitionError(f"{place} ({kind}): {str(error).partition('__init__() ')[2] or error}") from error


@dataclass(frozen=True)
class TargetGroup:
    """A named set of servers, elastic pools, databases and what else names databases, included or excluded.

    :param name: the group's name, up to 128 characters, unique in a job database.
    :param members: :class:`SqlServer`, :class:`SqlElasticPool`, :class:`SqlDatabase`, :class:`SqlShardMap`,
        :class:`SqlQueryTargets` and :class:`FailedTargets`; at least one is an Include.
    :raises DefinitionError: if the name or a member is not usable, naming the member.
    """

    name: str
    members: tuple[AnyMember, ...]

    # Of Member, as type checkers call what a list of several kinds has in common.
    def __init__(self, name: str, members: Iterable[Member]) -> None:
        object.__setattr__(self, "name", check_name(name, "name", "TargetGroup"))
        object.__setattr__(self, "members", tuple(members))
        self._check_members()

    def _check_members(self) -> None:
        seen: dict[tuple[str, ...], str] = {}
        for position, member in enumerate(self.members, start=1):
            place = f"target group {self.name!r}, member {position}"
            if not isinstance(member, Member):
                raise DefinitionError(
                    f"{place}: {member!r} is no member, like SqlServer or SqlDatabase (groups cannot be nested)"
                )
            key = (member.target_type.value, *(name.casefold() for name in (*member.names().values(), member.variant)))
            if key in seen:
                raise DefinitionError(f"{place}: {member.label} repeats {seen[key]}; a target is a member once")
            seen[key] = member.label
        if not any(not member.exclude for member in self.members):
            raise DefinitionError(
                f"target group {self.name!r} has no included member, so it could never hold a database"
            )

    @classmethod
    def failed_of(
        cls,
        job_execution_id: str | UUID,
        lifecycles: Iterable[str] = ("Failed", "TimedOut"),
        *,
        step: int | str | None = None,
        name: str = "Failed targets",
    ) -> TargetGroup:
        """Return the group of the databases on which a run's scripts failed, read when a step on the group begins.

        :param job_execution_id: the run; a template, so that a parameter of the DAG can name it.
        :param lifecycles: what counts as failed.
        :param step: only this step of the run, by its id or name; default: all.
        :param name: the group's name.
        :raises DefinitionError: if a lifecycle is none in which an execution ends.
        """
        return cls(name, [FailedTargets(str(job_execution_id), lifecycles=tuple(lifecycles), step=step)])

    def rendered(self, render: Callable[[Any], Any]) -> TargetGroup:
        """Return the group with the templates of its members rendered.

        :param render: returns a text, or texts within mappings and lists, with the templates replaced.
        :raises DefinitionError: if a value that this makes cannot be used.
        """
        return TargetGroup(self.name, [member.rendered(render) for member in self.members])

    def to_json(self) -> dict[str, Any]:
        """Return the group as plain JSON: ``{"target_group_name": ..., "members": [...]}``."""
        return {"target_group_name": self.name, "members": [member.to_json() for member in self.members]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetGroup:
        """Rebuild a group from :meth:`to_json`'s form.

        :raises DefinitionError: naming the member and the field that is wrong.
        """
        name = str(data.get("target_group_name", ""))
        members = data.get("members")
        if not isinstance(members, (list, tuple)):
            raise DefinitionError(f"target group {name!r}: 'members' must be a list")
        places = (f"target group {name!r}, member {position}" for position in range(1, len(members) + 1))
        return cls(name, [_member_from_json(member, place) for member, place in zip(members, places, strict=False)])


@dataclass(frozen=True)
class Target:
    """One database that a script runs on.

    :param server_name: fully qualified name of the logical server.
    :param database_name: the database.
    :param elastic_pool_name: the elastic pool that holds it, if known.
    :param conn_id: Airflow connection that runs the script there; default: the step's.
    :param parameters: values that the script gets there. They may be secrets: they are in the target's row, and in no
        log, ``repr`` or XCom.
    """

    server_name: str
    database_name: str
    elastic_pool_name: str | None = None
    conn_id: str | None = None
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict, hash=False, repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What makes two targets the same one: server and database, without letter case."""
        return self.server_name.casefold(), self.database_name.casefold()

    @property
    def label(self) -> str:
        """``server/database``, as the grid shows it."""
        return f"{self.server_name}/{self.database_name}"

    def to_json(self) -> dict[str, str]:
        """Return the target as plain JSON: ``server``, ``database``, also ``elastic_pool`` and ``conn_id`` if known.

        Its parameters are not told: they stay in the job database.
        """
        optional = {"elastic_pool": self.elastic_pool_name, "conn_id": self.conn_id}
        names = {"server": self.server_name, "database": self.database_name}
        return {**names, **{key: value for key, value in optional.items() if value is not None}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Target:
        """Rebuild a target from :meth:`to_json`'s form; other keys are not looked at.

        :raises KeyError: if ``server`` or ``database`` is missing.
        """
        return cls(data["server"], data["database"], data.get("elastic_pool"), data.get("conn_id"))
