"""What has to be known to run one script on one database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.model.job import DEFAULT_STEP_TIMEOUT
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput, output_from_json
from airflow_provider_elasticjobs.model.parameters import ParameterValue, parameters_to_json, read_parameters
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.targets import Target
from airflow_provider_elasticjobs.model.trial import Trial

__all__ = ["TargetOrder"]


@dataclass(frozen=True)
class TargetOrder:
    """One script for one database; plain JSON both ways, so that it can be a trigger's argument.

    :param execution_id: id of the target's row in the job database.
    :param target: the database.
    :param command: the T-SQL script, templates already rendered, ``$(name)`` variables not yet replaced.
    :param retry: when a failed attempt is made again.
    :param step_timeout: seconds that one attempt may take.
    :param idempotent: whether the script may run again after an attempt of unknown outcome.
    :param parameters: values that the script gets on every target; those of the target's row count before them.
    :param bind_parameters: whether the script gets them as real parameters, ``@name``, too.
    :param transaction: whether the script runs in one transaction, with a marker that tells whether it committed.
    :param target_timeout: seconds that all attempts may take together; None for no limit.
    :param lock_timeout: seconds that a statement may wait for a lock; None for as long as it takes.
    :param refresh_conn_id: Airflow connection that asks ``master`` about the database; None for the script's own.
    :param trial: how the script is only tried; None to run it.
    :param output: where its result goes.
    """

    execution_id: UUID
    target: Target
    command: str = field(repr=False)
    retry: RetryPolicy = field(default_factory=RetryPolicy, kw_only=True)
    step_timeout: int = field(default=DEFAULT_STEP_TIMEOUT, kw_only=True)
    idempotent: bool = field(default=True, kw_only=True)
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict, kw_only=True, hash=False, repr=False)
    bind_parameters: bool = field(default=False, kw_only=True)
    transaction: bool = field(default=False, kw_only=True)
    target_timeout: int | None = field(default=None, kw_only=True)
    lock_timeout: float | None = field(default=None, kw_only=True)
    refresh_conn_id: str | None = field(default=None, kw_only=True)
    trial: Trial | None = field(default=None, kw_only=True)
    output: SqlDatabaseOutput | ParquetOutput | None = field(default=None, kw_only=True)

    def to_json(self) -> dict[str, Any]:
        """Return the order as plain JSON."""
        return {
            "execution_id": str(self.execution_id),
            "target": self.target.to_json(),
            "command": self.command,
            "retry": self.retry.to_json(),
            "step_timeout": self.step_timeout,
            "idempotent": self.idempotent,
            "parameters": parameters_to_json(self.parameters),
            "bind_parameters": self.bind_parameters,
            "transaction": self.transaction,
            "target_timeout": self.target_timeout,
            "lock_timeout": self.lock_timeout,
            "refresh_conn_id": self.refresh_conn_id,
            "trial": None if self.trial is None else str(self.trial),
            "output": None if self.output is None else self.output.to_json(),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetOrder:
        """Rebuild an order from :meth:`to_json`'s form.

        :raises KeyError: if a field is missing.
        """
        return cls(
            UUID(data["execution_id"]),
            Target.from_json(data["target"]),
            data["command"],
            retry=RetryPolicy.from_json(data["retry"]),
            step_timeout=data["step_timeout"],
            idempotent=data["idempotent"],
            parameters=read_parameters(data.get("parameters"), "the order"),
            bind_parameters=data.get("bind_parameters", False),
            transaction=data.get("transaction", False),
            target_timeout=data.get("target_timeout"),
            lock_timeout=data.get("lock_timeout"),
            refresh_conn_id=data.get("refresh_conn_id"),
            trial=Trial.of(data.get("trial"), "order"),
            output=None if data.get("output") is None else output_from_json(data["output"]),
        )
