"""Airflow connections that are used where none is named."""

from __future__ import annotations

__all__ = ["DEFAULT_CONNECTION", "DEFAULT_JOB_DATABASE"]

#: Runs the scripts, and lists the databases of servers.
DEFAULT_CONNECTION = "elasticjobs_default"
#: Leads to the job database.
DEFAULT_JOB_DATABASE = "elasticjobs_job_database"
