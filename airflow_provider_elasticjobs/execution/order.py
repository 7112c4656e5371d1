"""What has to be known to run one script on one database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from airflow_provider_elasticjobs.model.job import DEFAULT_STEP_TIMEOUT
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput, output_from_json
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
    :param trial: how the script is only tried; None to run it.
    :param output: where its result goes.
    """

    execution_id: UUID
    target: Target
    command: str = field(repr=False)
    retry: RetryPolicy = field(default_factory=RetryPolicy, kw_only=True)
    step_timeout: int = field(default=DEFAULT_STEP_TIMEOUT, kw_only=True)
    idempotent: bool = field(default=True, kw_only=True)
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
            trial=Trial.of(data.get("trial"), "order"),
            output=None if data.get("output") is None else output_from_json(data["output"]),
        )
