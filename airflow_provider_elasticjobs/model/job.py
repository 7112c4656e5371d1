"""Jobs and their steps, as an author writes them (reference 1.1 and 1.4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.names import check_name
from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput, output_from_json
from airflow_provider_elasticjobs.model.parameters import ParameterValue, parameters_to_json, read_parameters
from airflow_provider_elasticjobs.model.retry import RetryPolicy
from airflow_provider_elasticjobs.model.rollout import Rollout
from airflow_provider_elasticjobs.model.targets import TargetGroup

__all__ = ["DEFAULT_STEP_TIMEOUT", "Job", "JobStep", "lock_seconds", "seconds"]

#: ``@step_timeout_seconds``: twelve hours.
DEFAULT_STEP_TIMEOUT = 43_200

#: Longest script that can be stored: 2 MiB of UTF-16 (reference 1.4).
_MAXIMUM_COMMAND = 1_048_576
#: Longest time-out that can be stored: int milliseconds (reference 7.5).
_MAXIMUM_TIMEOUT = 2_147_483


def seconds(value: float | timedelta, name: str, owner: str) -> int:
    """Return a time-out as whole seconds, 1 or more.

    :param value: seconds, or a :class:`~datetime.timedelta`.
    :param name: the argument's name, for the message.
    :param owner: what it belongs to, for the message.
    :raises DefinitionError: if it is not a positive number of seconds that can be stored.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 1 <= number <= _MAXIMUM_TIMEOUT:
        raise DefinitionError(f"{owner}: {name} must be 1 to {_MAXIMUM_TIMEOUT} seconds or a timedelta, not {value!r}")
    return int(number)


def lock_seconds(value: float | timedelta | None, owner: str) -> float | None:
    """Return a lock time-out as seconds, 0 or more; None for none.

    :param value: seconds, or a :class:`~datetime.timedelta`.
    :param owner: what it belongs to, for the message.
    :raises DefinitionError: if it is something else, or more than the engine takes.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number <= _MAXIMUM_TIMEOUT:
        raise DefinitionError(
            f"{owner}: lock_timeout must be 0 to {_MAXIMUM_TIMEOUT} seconds or a timedelta, not {value!r}"
        )
    return number


@dataclass(frozen=True)
class JobStep:
    """One T-SQL script and the target group it runs on.

    :param name: the step's name, up to 128 characters, unique in its job.
    :param target_group: the databases it runs on, resolved each time the step begins.
    :param command: the T-SQL script, or the path of a ``.sql`` file; a template. ``GO`` separates batches.
    :param retry: when a failed script is run again.
    :param step_timeout: seconds (or timedelta) that one attempt on one database may take; default 43,200 s.
    :param max_parallelism: most databases of one elastic pool at a time; None for no limit (reference 3.6). Databases
        outside pools are not limited by it.
    :param max_parallelism_per_server: most databases of one server at a time, in pools or not; None for no limit.
    :param rollout: waves, a budget of failures, starts spread in time; None for all databases at once.
    :param conn_id: Airflow connection that runs this step's script; default: the job's.
    :param idempotent: whether the script may be run again when it is unknown whether it had committed.
    :param transaction: run all batches in one transaction, with a marker row that commits with them and tells, after a
        lost connection or process, whether they did. The script must not end that transaction, nor hold statements that
        cannot run in one.
    :param target_timeout: seconds (or timedelta) that all attempts on one database may take together, the waits between
        them included, from the beginning of the first; None for no limit.
    :param lock_timeout: seconds (or timedelta) that a statement may wait for a lock before it fails with error 1222; 0
        for not at all, None for as long as it takes.
    :param output: where the result goes: a :class:`SqlDatabaseOutput` or a :class:`ParquetOutput`; None to let it go.
    :param parameters: values that the script gets on every database as ``$(name)`` literals: text (a template),
        numbers, ``bool``, ``bytes``, dates and times, ``UUID`` or None. Those of a target's member or query row count
        before them. They are of a run, not of the step's stored definition.
    :param bind_parameters: whether the script gets them as real parameters, ``@name``, too.
    :raises DefinitionError: if a value cannot be stored, naming the step.
    """

    name: str
    target_group: TargetGroup
    command: str
    retry: RetryPolicy = field(default_factory=RetryPolicy, kw_only=True)
    step_timeout: int | float | timedelta = field(default=DEFAULT_STEP_TIMEOUT, kw_only=True)
    max_parallelism: int | None = field(default=None, kw_only=True)
    max_parallelism_per_server: int | None = field(default=None, kw_only=True)
    conn_id: str | None = field(default=None, kw_only=True)
    idempotent: bool = field(default=True, kw_only=True)
    transaction: bool = field(default=False, kw_only=True)
    target_timeout: int | float | timedelta | None = field(default=None, kw_only=True)
    lock_timeout: int | float | timedelta | None = field(default=None, kw_only=True)
    rollout: Rollout | None = field(default=None, kw_only=True)
    output: SqlDatabaseOutput | ParquetOutput | None = field(default=None, kw_only=True)
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict, kw_only=True, hash=False, repr=False)
    bind_parameters: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "name", "JobStep")
        owner = f"step {self.name!r}"
        if not isinstance(self.target_group, TargetGroup):
            raise DefinitionError(f"{owner}: target_group must be a TargetGroup, not {self.target_group!r}")
        if not isinstance(self.command, str) or not self.command.strip():
            raise DefinitionError(f"{owner}: command must be a T-SQL script or the path of a .sql file")
        if len(self.command) > _MAXIMUM_COMMAND:
            raise DefinitionError(f"{owner}: command is longer than {_MAXIMUM_COMMAND} characters")
        for cap in ("max_parallelism", "max_parallelism_per_server"):
            value = getattr(self, cap)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise DefinitionError(f"{owner}: {cap} must be 1 or more, or None for no limit, not {value!r}")
        if self.rollout is not None and not isinstance(self.rollout, Rollout):
            raise DefinitionError(f"{owner}: rollout must be a Rollout, or None, not {self.rollout!r}")
        if self.output is not None and not isinstance(self.output, (SqlDatabaseOutput, ParquetOutput)):
            raise DefinitionError(
                f"{owner}: output must be a SqlDatabaseOutput or a ParquetOutput, not {self.output!r}"
            )
        object.__setattr__(self, "step_timeout", seconds(self.step_timeout, "step_timeout", owner))
        object.__setattr__(self, "parameters", read_parameters(self.parameters, owner))
        if self.target_timeout is not None:
            object.__setattr__(self, "target_timeout", seconds(self.target_timeout, "target_timeout", owner))
        object.__setattr__(self, "lock_timeout", lock_seconds(self.lock_timeout, owner))

    @property
    def step_timeout_seconds(self) -> int:
        """The time-out as whole seconds."""
        return seconds(self.step_timeout, "step_timeout", f"step {self.name!r}")

    def to_json(self) -> dict[str, Any]:
        """Return the step as plain JSON."""
        return {
            "step_name": self.name,
            "target_group": self.target_group.to_json(),
            "command": self.command,
            "retry": self.retry.to_json(),
            "step_timeout": self.step_timeout_seconds,
            "max_parallelism": self.max_parallelism,
            "max_parallelism_per_server": self.max_parallelism_per_server,
            "conn_id": self.conn_id,
            "idempotent": self.idempotent,
            "transaction": self.transaction,
            "target_timeout": self.target_timeout,
            "lock_timeout": self.lock_timeout,
            "rollout": None if self.rollout is None else self.rollout.to_json(),
            "output": None if self.output is None else self.output.to_json(),
            "parameters": parameters_to_json(self.parameters),
            "bind_parameters": self.bind_parameters,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobStep:
        """Rebuild a step from :meth:`to_json`'s form.

        :raises DefinitionError: if a field is missing or out of its range.
        """
        fields = dict(data)
        rollout = fields.pop("rollout", None)
        output = fields.pop("output", None)
        try:
            return cls(
                fields.pop("step_name"),
                TargetGroup.from_json(fields.pop("target_group")),
                fields.pop("command"),
                retry=RetryPolicy.from_json(fields.pop("retry", {})),
                rollout=None if rollout is None else Rollout.from_json(rollout),
                output=None if output is None else output_from_json(output),
                **fields,
            )
        except KeyError as missing:
            raise DefinitionError(f"job step: field {missing} is missing") from None
        except TypeError as error:
            raise DefinitionError(f"job step: {error}") from error


@dataclass(frozen=True)
class Job:
    """A named list of steps, run one after another.

    :param name: the job's name, up to 128 characters, without ``%``, unique in a job database.
    :param steps: the steps in order; a step's id is its place, counted from 1.
    :param description: free text, up to 512 characters.
    :raises DefinitionError: if the name or a step is not usable.
    """

    name: str
    steps: tuple[JobStep, ...]
    description: str = ""

    def __init__(self, name: str, steps: Iterable[JobStep], *, description: str = "") -> None:
        object.__setattr__(self, "name", check_name(name, "name", "Job"))
        object.__setattr__(self, "steps", tuple(steps))
        object.__setattr__(self, "description", description)
        self._check()

    def _check(self) -> None:
        owner = f"job {self.name!r}"
        if "%" in self.name:
            raise DefinitionError(f"{owner}: a job's name must not contain '%'")
        if len(self.description) > 512:
            raise DefinitionError(f"{owner}: description is longer than 512 characters")
        if not self.steps:
            raise DefinitionError(f"{owner} has no steps")
        names = [step.name.casefold() for step in self.steps]
        for step in self.steps:
            if names.count(step.name.casefold()) > 1:
                raise DefinitionError(f"{owner}: two steps are called {step.name!r}")
        self._check_groups(owner)

    def _check_groups(self, owner: str) -> None:
        groups: dict[str, TargetGroup] = {}
        for step in self.steps:
            group = groups.setdefault(step.target_group.name.casefold(), step.target_group)
            if group.members != step.target_group.members:
                raise DefinitionError(f"{owner}: two different target groups are called {group.name!r}")

    def step(self, step_id: int) -> JobStep:
        """Return the step with this id.

        :raises DefinitionError: if the job has no such step.
        """
        if not 1 <= step_id <= len(self.steps):
            raise DefinitionError(f"job {self.name!r} has steps 1 to {len(self.steps)}, not {step_id}")
        return self.steps[step_id - 1]

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain JSON."""
        steps = [step.to_json() for step in self.steps]
        return {"job_name": self.name, "description": self.description, "steps": steps}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Job:
        """Rebuild a job from :meth:`to_json`'s form.

        :raises DefinitionError: if a field is missing or out of its range.
        """
        steps = [JobStep.from_json(step) for step in data.get("steps", ())]
        return cls(str(data.get("job_name", "")), steps, description=str(data.get("description", "")))
