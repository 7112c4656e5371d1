"""Target groups as an author writes them, and the databases that they resolve to (reference section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.names import check_name

__all__ = [
    "Member",
    "MembershipType",
    "SqlDatabase",
    "SqlElasticPool",
    "SqlServer",
    "Target",
    "TargetGroup",
    "TargetType",
]


class MembershipType(str, Enum):
    """Whether a member adds databases to its group or takes them out; exclusion always wins (reference 5.1)."""

    INCLUDE = "Include"
    EXCLUDE = "Exclude"

    def __str__(self) -> str:
        return self.value


class TargetType(str, Enum):
    """Kinds of member, and of row in ``jobs.job_executions`` (``TargetGroup`` is the kind of a step's row)."""

    SQL_SERVER = "SqlServer"
    SQL_ELASTIC_POOL = "SqlElasticPool"
    SQL_DATABASE = "SqlDatabase"
    TARGET_GROUP = "TargetGroup"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Member:
    """What :class:`SqlServer`, :class:`SqlElasticPool` and :class:`SqlDatabase` have in common.

    :param exclude: take the member's databases out of the group instead of adding them.
    :param conn_id: Airflow connection that runs the script on this member's databases; default: the step's.
    """

    target_type: ClassVar[TargetType]

    exclude: bool = False
    conn_id: str | None = None

    @property
    def membership_type(self) -> MembershipType:
        """``Include`` or ``Exclude``."""
        return MembershipType.EXCLUDE if self.exclude else MembershipType.INCLUDE

    @property
    def is_enumerated(self) -> bool:
        """Whether the server has to be asked which databases this member stands for."""
        return self.target_type is not TargetType.SQL_DATABASE

    def names(self) -> dict[str, str]:
        """Return the fields that name the member, in the order of the contract."""
        fields = ("server_name", "database_name", "elastic_pool_name")
        return {field: getattr(self, field) for field in fields if getattr(self, field, None) is not None}

    @property
    def label(self) -> str:
        """The member in one line, for messages: ``SqlDatabase server/database (Exclude)``."""
        names = "/".join(self.names().values())
        return f"{self.target_type} {names}" + (" (Exclude)" if self.exclude else "")

    def to_json(self) -> dict[str, Any]:
        """Return the member as plain JSON, keyed as the parameters of ``jobs.sp_add_target_group_member``."""
        optional = {"conn_id": self.conn_id, "refresh_conn_id": getattr(self, "refresh_conn_id", None)}
        return {
            "membership_type": str(self.membership_type),
            "target_type": str(self.target_type),
            **self.names(),
            **{key: value for key, value in optional.items() if value is not None},
        }


@dataclass(frozen=True)
class SqlServer(Member):
    """Every user database of a logical server, as found when the step begins.

    :param server_name: fully qualified name of the server, ``tenants.database.windows.net``.
    :param refresh_conn_id: Airflow connection that lists the databases in ``master``; default: the step's.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_SERVER

    server_name: str
    refresh_conn_id: str | None = None

    def __post_init__(self) -> None:
        check_name(self.server_name, "server_name", "SqlServer", 256)


@dataclass(frozen=True)
class SqlElasticPool(Member):
    """Every database of an elastic pool, as found when the step begins.

    :param server_name: fully qualified name of the pool's server.
    :param elastic_pool_name: the pool's name.
    :param refresh_conn_id: Airflow connection that lists the databases in ``master``; default: the step's.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_ELASTIC_POOL

    server_name: str
    elastic_pool_name: str
    refresh_conn_id: str | None = None

    def __post_init__(self) -> None:
        check_name(self.server_name, "server_name", "SqlElasticPool", 256)
        check_name(self.elastic_pool_name, "elastic_pool_name", f"SqlElasticPool on {self.server_name}")


@dataclass(frozen=True)
class SqlDatabase(Member):
    """One database, named.

    :param server_name: fully qualified name of the database's server.
    :param database_name: the database's name; ``master`` is allowed when named.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_DATABASE

    server_name: str
    database_name: str

    def __post_init__(self) -> None:
        check_name(self.server_name, "server_name", "SqlDatabase", 256)
        check_name(self.database_name, "database_name", f"SqlDatabase on {self.server_name}")


_MEMBER_CLASSES: dict[str, type[SqlServer | SqlElasticPool | SqlDatabase]] = {
    kind.target_type.value.casefold(): kind for kind in (SqlServer, SqlElasticPool, SqlDatabase)
}


def _member_from_json(data: Mapping[str, Any], place: str) -> SqlServer | SqlElasticPool | SqlDatabase:
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
    except TypeError as error:
        # dataclass's own message names the missing or surplus field
        raise DefinitionError(f"{place} ({kind}): {str(error).partition('__init__() ')[2] or error}") from error


@dataclass(frozen=True)
class TargetGroup:
    """A named set of servers, elastic pools and databases, included or excluded.

    :param name: the group's name, up to 128 characters, unique in a job database.
    :param members: :class:`SqlServer`, :class:`SqlElasticPool` and :class:`SqlDatabase`; at least one is an Include.
    :raises DefinitionError: if the name or a member is not usable, naming the member.
    """

    name: str
    members: tuple[SqlServer | SqlElasticPool | SqlDatabase, ...]

    def __init__(self, name: str, members: Iterable[SqlServer | SqlElasticPool | SqlDatabase]) -> None:
        object.__setattr__(self, "name", check_name(name, "name", "TargetGroup"))
        object.__setattr__(self, "members", tuple(members))
        self._check_members()

    def _check_members(self) -> None:
        seen: dict[tuple[str, ...], str] = {}
        for position, member in enumerate(self.members, start=1):
            place = f"target group {self.name!r}, member {position}"
            if not isinstance(member, Member):
                raise DefinitionError(
                    f"{place}: {member!r} is not a SqlServer, SqlElasticPool or SqlDatabase (groups cannot be nested)"
                )
            key = (member.target_type.value, *(name.casefold() for name in member.names().values()))
            if key in seen:
                raise DefinitionError(f"{place}: {member.label} repeats {seen[key]}; a target is a member once")
            seen[key] = member.label
        if not any(not member.exclude for member in self.members):
            raise DefinitionError(
                f"target group {self.name!r} has no included member, so it could never hold a database"
            )

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
    """

    server_name: str
    database_name: str
    elastic_pool_name: str | None = None
    conn_id: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What makes two targets the same one: server and database, without letter case."""
        return self.server_name.casefold(), self.database_name.casefold()

    @property
    def label(self) -> str:
        """``server/database``, as the grid shows it."""
        return f"{self.server_name}/{self.database_name}"

    def to_json(self) -> dict[str, str]:
        """Return the target as plain JSON: ``server``, ``database``, also ``elastic_pool`` and ``conn_id`` if known."""
        optional = {"elastic_pool": self.elastic_pool_name, "conn_id": self.conn_id}
        names = {"server": self.server_name, "database": self.database_name}
        return {**names, **{key: value for key, value in optional.items() if value is not None}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Target:
        """Rebuild a target from :meth:`to_json`'s form; other keys are not looked at.

        :raises KeyError: if ``server`` or ``database`` is missing.
        """
        return cls(data["server"], data["database"], data.get("elastic_pool"), data.get("conn_id"))
