"""The Airflow plugin that brings the listeners; found by the entry point ``airflow.plugins``."""

from __future__ import annotations

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from airflow_provider_elasticjobs.listeners import missing_pool, preload

__all__ = ["ElasticJobsPlugin"]


class ElasticJobsPlugin(AirflowPlugin):
    """Says it when the pool of an elastic job is missing, and loads ahead what its tasks need."""

    name = "elasticjobs"
    listeners: list[Any] = [missing_pool, preload]  # noqa: RUF012 Airflow's own declaration
