"""A step's command made ready for the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.model.parameters import ParameterValue
from airflow_provider_elasticjobs.tsql.batches import Batch, split_batches
from airflow_provider_elasticjobs.tsql.parameters import bound
from airflow_provider_elasticjobs.tsql.variables import substitute

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.job_database.records import Claim

__all__ = ["batches_with", "script_batches"]


def script_batches(
    command: str, claim: Claim, parameters: Mapping[str, ParameterValue] | None = None, *, bind: bool = False
) -> list[Batch]:
    """Return the batches of a command, its variables replaced by their literals (reference 3.9).

    :param command: the T-SQL script.
    :param claim: the row that it runs for, which holds the values of the built-in variables.
    :param parameters: values that stand beside those: ``$(name)`` is the value's literal.
    :param bind: whether batches get the parameters that they mention as ``@name``, too.
    :raises DefinitionError: if the script cannot be split, or a value has no literal.
    """
    values: dict[str, object] = {
        "job_execution_create_time": claim.job_execution_create_time,
        "job_execution_id": claim.job_execution_id,
        "job_id": claim.job_id,
        "job_name": claim.job_name,
        "job_version": claim.job_version,
        "step_id": claim.step_id,
        "step_name": claim.step_name,
        "target_group_name": claim.target_group_name,
    }
    return batches_with(command, values, parameters or {}, bind=bind)


def batches_with(
    command: str, values: Mapping[str, object], parameters: Mapping[str, ParameterValue], *, bind: bool = False
) -> list[Batch]:
    """Return the batches of a command that runs for no row.

    :param command: the T-SQL script.
    :param values: those of the built-in variables, by name.
    :param parameters: values that stand beside those.
    :param bind: whether batches get the parameters that they mention as ``@name``, too.
    :raises DefinitionError: if the script cannot be split, or a value has no literal.
    """
    literals = {**values, **{name.lower(): value for name, value in parameters.items()}}
    script = substitute(command, literals)
    # What was put in may be a secret, and is another for each database: it is not kept.
    batches = _read(command) if script == command else split_batches(script)
    return [bound(batch, parameters) for batch in batches] if bind else list(batches)


@lru_cache(maxsize=4)  # thousands of databases get the same script, and 100 KB take 27 ms to read
def _read(command: str) -> Sequence[Batch]:
    return split_batches(command)
