"""What Airflow's providers manager learns of this package."""

from __future__ import annotations

from typing import Any

from airflow_provider_elasticjobs.hooks.connection_form import CONNECTION_TYPE

__all__ = ["get_provider_info"]

_CONFIG: dict[str, Any] = {
    "elasticjobs": {
        "description": "Elastic jobs: how this installation runs scripts.",
        "options": {
            "deferrable": {
                "description": "Whether ElasticJobOperator runs scripts in the triggerer unless a task says otherwise.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": None,
                "default": "True",
            },
            "preload": {
                "description": "Whether scheduler, DAG processor and triggerer load what tasks of elastic jobs need.",
                "version_added": "0.1.0",
                "type": "boolean",
                "example": None,
                "default": "True",
            },
            "trigger_threads": {
                "description": "Most scripts that run at a time in one triggerer; those above it wait in its queue.",
                "version_added": "0.1.0",
                "type": "integer",
                "example": None,
                "default": "1000",
            },
            "job_database_patience": {
                "description": "Seconds that a write is tried again while the job database is away.",
                "version_added": "0.1.0",
                "type": "float",
                "example": None,
                "default": "120",
            },
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, in the shape of Airflow's ``provider_info.schema.json``."""
    name = "Elastic Jobs"
    package = "airflow_provider_elasticjobs"
    return {
        "package-name": "airflow-provider-elasticjobs",
        "name": name,
        "description": "T-SQL on fleets of Azure SQL and SQL Server databases, one task each.",
        "integrations": [
            {
                "integration-name": name,
                "external-doc-url": "https://learn.microsoft.com/azure/azure-sql/database/elastic-jobs-overview",
                "tags": ["azure"],
            }
        ],
        "operators": [
            {
                "integration-name": name,
                "python-modules": [
                    f"{package}.operators.begin_wave",
                    f"{package}.operators.elastic_job",
                    f"{package}.operators.execution_request",
                    f"{package}.operators.maintenance",
                    f"{package}.operators.target_group",
                ],
            }
        ],
        "sensors": [{"integration-name": name, "python-modules": [f"{package}.sensors.elastic_job_execution"]}],
        "hooks": [{"integration-name": name, "python-modules": [f"{package}.hooks.elasticjobs"]}],
        "triggers": [{"integration-name": name, "python-modules": [f"{package}.triggers.elastic_job"]}],
        "connection-types": [CONNECTION_TYPE],
        "cli": [f"{package}.cli.definition.get_cli_commands"],
        "config": _CONFIG,
    }
