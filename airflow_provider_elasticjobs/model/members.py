"""Members of a target group whose databases a server lists: servers, elastic pools, databases (reference 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.names import SYSTEM_DATABASES, check_name, has_wildcard, name_matches
from airflow_provider_elasticjobs.model.parameters import ParameterValue, parameters_to_json, read_parameters

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = [
    "PATTERN",
    "EnumeratedMember",
    "Member",
    "MembershipType",
    "SqlDatabase",
    "SqlElasticPool",
    "SqlServer",
    "TargetType",
    "member_parameters",
    "set_parameters",
]


class MembershipType(str, Enum):
    """Whether a member adds databases to its group or takes them out; exclusion always wins (reference 5.1)."""

    INCLUDE = "Include"
    EXCLUDE = "Exclude"

    def __str__(self) -> str:
        return self.value


class TargetType(str, Enum):
    """Kinds of member, and of row in ``jobs.job_executions`` (``TargetGroup`` is the kind of a step's row).

    ``SqlQuery`` and ``FailedTargets`` are not Elastic Jobs' own.
    """

    SQL_SERVER = "SqlServer"
    SQL_ELASTIC_POOL = "SqlElasticPool"
    SQL_DATABASE = "SqlDatabase"
    SQL_SHARD_MAP = "SqlShardMap"
    SQL_QUERY = "SqlQuery"
    FAILED_TARGETS = "FailedTargets"
    TARGET_GROUP = "TargetGroup"

    def __str__(self) -> str:
        return self.value


#: ``variant`` of a member whose names are patterns.
PATTERN = "pattern"

_NAMES = ("server_name", "database_name", "elastic_pool_name", "shard_map_name")


@dataclass(frozen=True, kw_only=True)
class Member:
    """What all members have in common.

    :param exclude: take the member's databases out of the group instead of adding them.
    :param conn_id: Airflow connection that runs the script on this member's databases; default: the step's.
    """

    target_type: ClassVar[TargetType]
    #: Fields whose texts are templates, rendered when a step begins.
    templated: ClassVar[tuple[str, ...]] = ()

    exclude: bool = False
    conn_id: str | None = None

    @property
    def membership_type(self) -> MembershipType:
        """``Include`` or ``Exclude``."""
        return MembershipType.EXCLUDE if self.exclude else MembershipType.INCLUDE

    @property
    def variant(self) -> str:
        """What tells the member from another of the same type and names; empty for the kinds of Elastic Jobs."""
        return ""

    def names(self) -> dict[str, str]:
        """Return the fields that name the member, in the order of the contract."""
        return {name: getattr(self, name) for name in _NAMES if getattr(self, name, None) is not None}

    def definition(self) -> dict[str, Any]:
        """Return what the names do not say and the job database keeps, as plain JSON."""
        return {}

    @property
    def label(self) -> str:
        """The member in one line, for messages: ``SqlDatabase server/database (Exclude)``."""
        return f"{self.target_type} {self._what}" + (" (Exclude)" if self.exclude else "")

    @property
    def _what(self) -> str:
        return "/".join(self.names().values())

    def rendered(self, render: Callable[[Any], Any]) -> Self:
        """Return the member with its templates rendered.

        :param render: returns a text, or texts within mappings and lists, with the templates replaced.
        """
        return replace(self, **{name: render(getattr(self, name)) for name in self.templated})

    def to_json(self) -> dict[str, Any]:
        """Return the member as plain JSON, keyed as the parameters of ``jobs.sp_add_target_group_member``."""
        optional = {"conn_id": self.conn_id, "refresh_conn_id": getattr(self, "refresh_conn_id", None)}
        parameters = getattr(self, "parameters", None)
        return {
            "membership_type": str(self.membership_type),
            "target_type": str(self.target_type),
            **self.names(),
            **{key: value for key, value in optional.items() if value is not None},
            **({"parameters": parameters_to_json(parameters)} if parameters else {}),
            **({"literal": True} if getattr(self, "literal", False) else {}),
            **self.definition(),
        }


def set_parameters(member: Any) -> None:
    """Make a member's ``parameters`` Python values.

    :raises DefinitionError: if one cannot be used.
    """
    object.__setattr__(member, "parameters", read_parameters(member.parameters, member.label))


def member_parameters() -> Any:
    """Return the dataclass field of a member's parameters."""
    # Values may be secrets, and mappings have no hash.
    return field(default_factory=dict, kw_only=True, hash=False, repr=False)


@dataclass(frozen=True)
class SqlServer(Member):
    """Every user database of a logical server, as found when the step begins.

    :param server_name: fully qualified name of the server, ``tenants.database.windows.net``.
    :param refresh_conn_id: Airflow connection that lists the databases in ``master``; default: the step's.
    :param parameters: values that the script gets on these databases; texts are templates.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_SERVER
    templated: ClassVar[tuple[str, ...]] = ("parameters",)

    server_name: str
    refresh_conn_id: str | None = None
    parameters: Mapping[str, ParameterValue] = member_parameters()

    def __post_init__(self) -> None:
        check_name(self.server_name, "server_name", "SqlServer", 256)
        set_parameters(self)

    def holds(self, database_name: str, elastic_pool_name: str | None) -> bool:  # noqa: ARG002 as the others'
        """Return whether a database of the server belongs to the member: each one does."""
        return True


@dataclass(frozen=True)
class SqlElasticPool(Member):
    """Every database of an elastic pool, as found when the step begins.

    :param server_name: fully qualified name of the pool's server.
    :param elastic_pool_name: the pool's name, or a pattern of names: ``pool_*``.
    :param refresh_conn_id: Airflow connection that lists the databases in ``master``; default: the step's.
    :param database_name: only databases of the pool with this name, or a pattern of names: ``tenant_*``.
    :param literal: the names are meant as written, also where they hold ``*`` or ``?``.
    :param parameters: values that the script gets on these databases; texts are templates.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_ELASTIC_POOL
    templated: ClassVar[tuple[str, ...]] = ("parameters",)

    server_name: str
    elastic_pool_name: str
    refresh_conn_id: str | None = None
    database_name: str | None = field(default=None, kw_only=True)
    literal: bool = field(default=False, kw_only=True)
    parameters: Mapping[str, ParameterValue] = member_parameters()

    def __post_init__(self) -> None:
        check_name(self.server_name, "server_name", "SqlElasticPool", 256)
        check_name(self.elastic_pool_name, "elastic_pool_name", f"SqlElasticPool on {self.server_name}")
        if self.database_name is not None:
            check_name(self.database_name, "database_name", f"SqlElasticPool on {self.server_name}")
        set_parameters(self)

    @property
    def variant(self) -> str:
        """``pattern`` if a name is one."""
        names = (self.elastic_pool_name, self.database_name or "")
        return PATTERN if not self.literal and any(map(has_wildcard, names)) else ""

    def holds(self, database_name: str, elastic_pool_name: str | None) -> bool:
        """Return whether a user database of the server, in this pool or in none, belongs to the member."""
        if not _fits(elastic_pool_name or "", self.elastic_pool_name, self.variant):
            return False
        return self.database_name is None or _fits(database_name, self.database_name, self.variant)


@dataclass(frozen=True)
class SqlDatabase(Member):
    """One database, named; or every user database of a server whose name fits a pattern, as found when the step begins.

    :param server_name: fully qualified name of the database's server.
    :param database_name: the database's name; ``master`` is allowed when named. A name with ``*`` (any text) or ``?``
        (one character) is a pattern: ``tenant_*``. A pattern never stands for a system database.
    :param literal: the name is meant as written, also where it holds ``*`` or ``?``.
    :param refresh_conn_id: Airflow connection that lists the databases in ``master``, for a pattern; default: the
        step's.
    :param parameters: values that the script gets on these databases; texts are templates.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_DATABASE
    templated: ClassVar[tuple[str, ...]] = ("parameters",)

    server_name: str
    database_name: str
    literal: bool = field(default=False, kw_only=True)
    refresh_conn_id: str | None = field(default=None, kw_only=True)
    parameters: Mapping[str, ParameterValue] = member_parameters()

    def __post_init__(self) -> None:
        check_name(self.server_name, "server_name", "SqlDatabase", 256)
        check_name(self.database_name, "database_name", f"SqlDatabase on {self.server_name}")
        if self.refresh_conn_id is not None and not self.variant:
            raise DefinitionError(f"{self.label}: a 'refresh_conn_id' is for patterns only, as nothing is listed")
        set_parameters(self)

    @property
    def variant(self) -> str:
        """``pattern`` if the name is one."""
        return PATTERN if not self.literal and has_wildcard(self.database_name) else ""

    def holds(self, database_name: str, elastic_pool_name: str | None) -> bool:  # noqa: ARG002 as the others'
        """Return whether a database of the server belongs to the member."""
        return _fits(database_name, self.database_name, self.variant)


def _fits(name: str, wanted: str, variant: str) -> bool:
    if not variant:
        return name.casefold() == wanted.casefold()
    return name.casefold() not in SYSTEM_DATABASES and name_matches(name, wanted)


#: Members that need a server to be asked; a named database is one of them for the sake of patterns.
EnumeratedMember = SqlServer | SqlElasticPool | SqlDatabase
