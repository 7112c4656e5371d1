"""A step's command made ready for the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.tsql.batches import Batch, split_batches
from airflow_provider_elasticjobs.tsql.variables import substitute

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.job_database.records import Claim

__all__ = ["script_batches"]


def script_batches(command: str, claim: Claim) -> list[Batch]:
    """Return the batches of a command, its built-in variables replaced by their literals (reference 3.9).

    :param command: the T-SQL script.
    :param claim: the row that it runs for, which holds the values.
    :raises DefinitionError: if the script cannot be split.
    """
    values = {
        "job_execution_create_time": claim.job_execution_create_time,
        "job_execution_id": claim.job_execution_id,
        "job_id": claim.job_id,
        "job_name": claim.job_name,
        "job_version": claim.job_version,
        "step_id": claim.step_id,
        "step_name": claim.step_name,
        "target_group_name": claim.target_group_name,
    }
    return split_batches(substitute(command, values))
