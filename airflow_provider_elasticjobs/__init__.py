"""T-SQL on fleets of Azure SQL and SQL Server databases, one Airflow task each, with everything an Elastic Job has.

Every public name is imported on first use: importing the package imports neither a driver nor an Azure library nor
Airflow's database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.exceptions import ElasticJobsError
    from airflow_provider_elasticjobs.hooks.elasticjobs import ElasticJobsHook
    from airflow_provider_elasticjobs.model.job import Job, JobStep
    from airflow_provider_elasticjobs.model.lifecycle import Lifecycle
    from airflow_provider_elasticjobs.model.outputs import ParquetOutput, SqlDatabaseOutput
    from airflow_provider_elasticjobs.model.retry import RetryPolicy
    from airflow_provider_elasticjobs.model.rollout import Rollout, Wave
    from airflow_provider_elasticjobs.model.targets import (
        FailedTargets,
        SqlDatabase,
        SqlElasticPool,
        SqlQueryTargets,
        SqlServer,
        SqlShardMap,
        Target,
        TargetGroup,
    )
    from airflow_provider_elasticjobs.operators.begin_wave import BeginWaveOperator
    from airflow_provider_elasticjobs.operators.elastic_job import ElasticJobOperator
    from airflow_provider_elasticjobs.operators.execution_request import (
        StartElasticJobOperator,
        StopElasticJobOperator,
    )
    from airflow_provider_elasticjobs.operators.maintenance import PurgeJobHistoryOperator, ReconcileExecutionsOperator
    from airflow_provider_elasticjobs.operators.target_group import ResolveTargetGroupOperator
    from airflow_provider_elasticjobs.sensors.elastic_job_execution import ElasticJobExecutionSensor
    from airflow_provider_elasticjobs.task_groups.elastic_job import ElasticJob

__version__ = "0.1.0"

__all__ = [
    "BeginWaveOperator",
    "ElasticJob",
    "ElasticJobExecutionSensor",
    "ElasticJobOperator",
    "ElasticJobsError",
    "ElasticJobsHook",
    "FailedTargets",
    "Job",
    "JobStep",
    "Lifecycle",
    "ParquetOutput",
    "PurgeJobHistoryOperator",
    "ReconcileExecutionsOperator",
    "ResolveTargetGroupOperator",
    "RetryPolicy",
    "Rollout",
    "SqlDatabase",
    "SqlDatabaseOutput",
    "SqlElasticPool",
    "SqlQueryTargets",
    "SqlServer",
    "SqlShardMap",
    "StartElasticJobOperator",
    "StopElasticJobOperator",
    "Target",
    "TargetGroup",
    "Wave",
]

_MODULES = {
    "BeginWaveOperator": "operators.begin_wave",
    "ElasticJob": "task_groups.elastic_job",
    "ElasticJobExecutionSensor": "sensors.elastic_job_execution",
    "ElasticJobOperator": "operators.elastic_job",
    "ElasticJobsError": "exceptions",
    "ElasticJobsHook": "hooks.elasticjobs",
    "FailedTargets": "model.targets",
    "Job": "model.job",
    "JobStep": "model.job",
    "Lifecycle": "model.lifecycle",
    "ParquetOutput": "model.outputs",
    "PurgeJobHistoryOperator": "operators.maintenance",
    "ReconcileExecutionsOperator": "operators.maintenance",
    "ResolveTargetGroupOperator": "operators.target_group",
    "RetryPolicy": "model.retry",
    "Rollout": "model.rollout",
    "SqlDatabase": "model.targets",
    "SqlDatabaseOutput": "model.outputs",
    "SqlElasticPool": "model.targets",
    "SqlQueryTargets": "model.targets",
    "SqlServer": "model.targets",
    "SqlShardMap": "model.targets",
    "StartElasticJobOperator": "operators.execution_request",
    "StopElasticJobOperator": "operators.execution_request",
    "Target": "model.targets",
    "TargetGroup": "model.targets",
    "Wave": "model.rollout",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
