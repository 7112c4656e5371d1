"""What Airflow's providers manager learns of this package."""

from __future__ import annotations

from typing import Any

__all__ = ["get_provider_info"]


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description, in the shape of Airflow's ``provider_info.schema.json``."""
    return {
        "package-name": "airflow-provider-elasticjobs",
        "name": "Elastic Jobs",
        "description": "T-SQL on fleets of Azure SQL and SQL Server databases, one task each.",
    }
