"""Members of a target group whose databases something lists by name: a shard map, a query, an earlier run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
from airflow_provider_elasticjobs.model.members import Member, TargetType, member_parameters, set_parameters
from airflow_provider_elasticjobs.model.names import check_name
from airflow_provider_elasticjobs.model.parameters import ParameterValue, parameters_to_json

__all__ = ["FailedTargets", "ListedMember", "SqlQueryTargets", "SqlShardMap"]


@dataclass(frozen=True)
class SqlShardMap(Member):
    """The shards of a shard map, as its manager's tables tell when the step begins; those offline are left out.

    :param server_name: fully qualified name of the server of the shard map manager.
    :param database_name: the database of the shard map manager.
    :param shard_map_name: the shard map's name, up to 50 characters.
    :param refresh_conn_id: Airflow connection that reads the shard map; default: the step's.
    :param parameters: values that the script gets on these databases; texts are templates.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_SHARD_MAP
    templated: ClassVar[tuple[str, ...]] = ("parameters",)

    server_name: str
    database_name: str
    shard_map_name: str
    refresh_conn_id: str | None = None
    parameters: Mapping[str, ParameterValue] = member_parameters()

    def __post_init__(self) -> None:
        check_name(self.server_name, "server_name", "SqlShardMap", 256)
        check_name(self.database_name, "database_name", f"SqlShardMap on {self.server_name}")
        check_name(self.shard_map_name, "shard_map_name", f"SqlShardMap on {self.server_name}", 50)
        set_parameters(self)

    @property
    def variant(self) -> str:
        """The shard map's name."""
        return self.shard_map_name


@dataclass(frozen=True)
class SqlQueryTargets(Member):
    """The databases that a query over a catalog of yours names when the step begins.

    :param query: a query with the columns ``server_name`` and ``database_name``, perhaps ``elastic_pool_name``. Every
        further column is a parameter of that row's database, called as the column is.
    :param server_name: server of the catalog; default: the host of the refresh connection.
    :param database_name: the catalog's database; default: the refresh connection's own.
    :param refresh_conn_id: Airflow connection that reads the catalog; default: the step's.
    :param parameters: values that the *query* gets as ``@name``; texts are templates.
    """

    target_type: ClassVar[TargetType] = TargetType.SQL_QUERY
    templated: ClassVar[tuple[str, ...]] = ("parameters",)

    query: str
    server_name: str | None = field(default=None, kw_only=True)
    database_name: str | None = field(default=None, kw_only=True)
    refresh_conn_id: str | None = field(default=None, kw_only=True)
    parameters: Mapping[str, ParameterValue] = member_parameters()

    def __post_init__(self) -> None:
        if not isinstance(self.query, str) or not self.query.strip():
            raise DefinitionError("SqlQueryTargets: query must be a T-SQL query")
        for name, most in (("server_name", 256), ("database_name", 128)):
            if getattr(self, name) is not None:
                check_name(getattr(self, name), name, "SqlQueryTargets", most)
        set_parameters(self)

    @property
    def variant(self) -> str:
        """``query`` and a digest of it and its parameters."""
        return _digest("query", self.query, parameters_to_json(self.parameters))

    def definition(self) -> dict[str, Any]:
        """Return the query, and its parameters if it has any."""
        parameters = {"parameters": parameters_to_json(self.parameters)} if self.parameters else {}
        return {"query": self.query, **parameters}

    @property
    def _what(self) -> str:
        text = " ".join(self.query.split())
        return f"'{text[:77]}...'" if len(text) > 80 else f"'{text}'"


@dataclass(frozen=True)
class FailedTargets(Member):
    """The databases on which a run's scripts failed, as the job database tells when the step begins.

    Each keeps the parameters of its member or query row with which it failed.

    :param job_execution_id: the run; a template.
    :param lifecycles: what counts as failed; default: ``Failed`` and ``TimedOut``.
    :param step: only this step of the run, by its id or name; default: all.
    """

    target_type: ClassVar[TargetType] = TargetType.FAILED_TARGETS
    templated: ClassVar[tuple[str, ...]] = ("job_execution_id",)

    job_execution_id: str
    lifecycles: Iterable[str] = field(default=("Failed", "TimedOut"), kw_only=True)
    step: int | str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "job_execution_id", str(self.job_execution_id))
        given = (self.lifecycles,) if isinstance(self.lifecycles, str) else tuple(self.lifecycles)
        ends = {str(one).casefold(): str(one) for one in Lifecycle if not one.is_active}
        if not given or any(str(one).casefold() not in ends for one in given):
            raise DefinitionError(f"FailedTargets: lifecycles must be of {', '.join(ends.values())}, not {given!r}")
        object.__setattr__(self, "lifecycles", tuple(ends[str(one).casefold()] for one in given))

    @property
    def variant(self) -> str:
        """``failed`` and a digest of what is asked for."""
        return _digest("failed", self.definition())

    def definition(self) -> dict[str, Any]:
        """Return what is asked for."""
        step = {} if self.step is None else {"step": self.step}
        return {"job_execution_id": self.job_execution_id, "lifecycles": list(self.lifecycles), **step}

    @property
    def _what(self) -> str:
        return f"of run {self.job_execution_id}" + ("" if self.step is None else f", step {self.step}")


def _digest(kind: str, *said: Any) -> str:
    return f"{kind} {sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:40]}"


ListedMember = SqlShardMap | SqlQueryTargets | FailedTargets
