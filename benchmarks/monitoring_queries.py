"""The sixteen monitoring queries that Elastic Jobs users have in their scripts, and the package's own readers.

Shapes that leave open what they ask for (a job, a run, or all of the history) are here in each width that ends: none
asks for a million rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from airflow_provider_elasticjobs.job_database.agents import heartbeat, lost_scripts, settle_leftovers
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.history import count_targets, executions, latest_runs
from airflow_provider_elasticjobs.job_database.records import Agent

__all__ = ["Parameters", "monitoring_queries", "readers"]


@dataclass(frozen=True)
class Parameters:
    """What the queries are asked about.

    :param job: a job with a run that is active.
    :param run: one of its runs that ended.
    :param active_run: the one that is active.
    :param server: whose databases the job runs on.
    """

    job: str
    run: UUID
    active_run: UUID
    server: str

    @property
    def group(self) -> str:
        """The job's target group."""
        return f"group of {self.job}"


def monitoring_queries(of: Parameters) -> dict[str, str]:
    """Return the queries by number and what each asks for.

    :param of: what they are asked about.
    """
    executions = "SELECT * FROM jobs.job_executions"
    members = "SELECT * FROM jobs.target_group_members"
    return {
        "1 all jobs": "SELECT * FROM jobs.jobs",
        "1 enabled jobs": "SELECT * FROM jobs.jobs WHERE enabled = 1",
        "2 steps of the current versions": (
            "SELECT jobs.job_name, js.step_name, js.command FROM jobs.jobsteps js JOIN jobs.jobs jobs"
            " ON js.job_id = jobs.job_id AND js.job_version = jobs.job_version"
        ),
        "3 all versions of a job's steps": f"SELECT * FROM jobs.jobstep_versions WHERE job_name = '{of.job}'",
        "3 all steps": "SELECT * FROM jobs.jobsteps",
        "4 runs of a job, newest first": (
            f"{executions} WHERE job_name = '{of.job}' AND step_id IS NULL ORDER BY start_time DESC"
        ),
        "4 runs of all jobs, newest first": f"{executions} WHERE step_id IS NULL ORDER BY start_time DESC",
        "5 everything of a job, newest first": f"{executions} WHERE job_name = '{of.job}' ORDER BY start_time DESC",
        "6 everything active": f"{executions} WHERE is_active = 1 ORDER BY start_time DESC",
        "6 everything active of a job": f"{executions} WHERE is_active = 1 AND job_name = '{of.job}'",
        "7 everything of a run": f"{executions} WHERE job_execution_id = '{of.run}'",
        "8 what is active of a job, to cancel it": (
            "SELECT job_name, job_execution_id, job_version, step_id, is_active, lifecycle, start_time,"
            " current_attempts, current_attempt_start_time, last_message, target_group_name, target_server_name,"
            f" target_database_name FROM jobs.job_executions WHERE is_active = 1 AND job_name = '{of.job}'"
            " ORDER BY start_time DESC"
        ),
        "9 state of a run, as polled": (
            "SELECT is_active, lifecycle FROM jobs.job_executions"
            f" WHERE job_execution_id = '{of.active_run}' AND step_id IS NULL"
        ),
        "9 state of each target of a run": (
            "SELECT target_database_name, is_active, lifecycle, last_message FROM jobs.job_executions"
            f" WHERE job_execution_id = '{of.active_run}' AND target_database_name IS NOT NULL AND step_id = 1"
            " ORDER BY target_database_name"
        ),
        "10 a target group": f"SELECT * FROM jobs.target_groups WHERE target_group_name = N'{of.group}'",
        "10 members of a group": f"{members} WHERE target_group_name = N'{of.group}' ORDER BY membership_type",
        "10 members on a server": f"{members} WHERE server_name = '{of.server}' ORDER BY membership_type",
        "11 a member's target_id into a variable": (
            "DECLARE @tid uniqueidentifier; SELECT @tid = target_id FROM [jobs].target_group_members"
            f" WHERE target_group_name = '{of.group}' AND server_name = '{of.server}'; SELECT @tid AS target_id"
        ),
        "12 failures of a job": _failures(f"AND job_name = '{of.job}'"),
        "12 failures of all jobs": _failures(""),
        "13 targets of a run": f"{executions} WHERE target_type IS NOT NULL AND job_execution_id = '{of.run}'",
        "13 all runs on this database": (
            f"{executions} WHERE target_type = 'SqlDatabase' AND target_database_name = DB_NAME()"
        ),
        "14 runs that are active": "SELECT DISTINCT job_execution_id FROM jobs.job_executions WHERE is_active = 1",
        "15 latest run of each job": (
            "SELECT e.job_name, e.job_execution_id, e.lifecycle FROM jobs.job_executions AS e INNER JOIN"
            " (SELECT job_name, MAX(create_time) AS create_time FROM jobs.job_executions WHERE step_id IS NULL"
            " GROUP BY job_name) AS latest ON latest.job_name = e.job_name AND latest.create_time = e.create_time"
            " WHERE e.step_id IS NULL"
        ),
        "15 messages of a run": _messages(f"job_execution_id = '{of.run}'"),
        "15 messages of each run of a job": _messages(f"job_name = '{of.job}'"),
        "16 guards around the add procedures": (
            "DECLARE @missing int = 0;"
            f" IF NOT EXISTS (SELECT * FROM jobs.target_groups WHERE target_group_name = N'{of.group}')"
            " SET @missing = @missing + 1;"
            f" IF NOT EXISTS (SELECT 1 FROM jobs.target_group_members WHERE target_group_name = N'{of.group}'"
            f" AND server_name = N'{of.server}') SET @missing = @missing + 1;"
            f" IF NOT EXISTS (SELECT 1 FROM jobs.jobsteps WHERE job_name = N'{of.job}' AND step_name = N'step2')"
            " SET @missing = @missing + 1; SELECT @missing AS missing"
        ),
    }


def _failures(condition: str) -> str:
    return (
        "SELECT job_name, step_name, target_resource_group_name, target_server_name, target_database_name,"
        " target_elastic_pool_name, DATEDIFF(SECOND, start_time, end_time) AS duration, last_message"
        f" FROM jobs.job_executions WHERE lifecycle = 'Failed' AND target_type = 'SqlDatabase' {condition}"
    )


def _messages(condition: str) -> str:
    return (
        "SELECT job_execution_id, STRING_AGG(last_message, '; ') AS messages FROM jobs.job_executions"
        f" WHERE {condition} GROUP BY job_execution_id"
    )


_WAITING = Batch(
    "SELECT waiting_for, waiting_cause, COUNT(*) AS targets FROM jobs_ext.waiting_targets"
    " GROUP BY waiting_for, waiting_cause;"
)
_ATTEMPTS_OF_RUN = Batch(
    "SELECT * FROM jobs_ext.job_attempts WHERE job_execution_id = @run;", run="uniqueidentifier"
)  # fmt: skip


def readers(db: JobDatabase, of: Parameters, agent: Agent) -> dict[str, Callable[[], object]]:
    """Return what the package itself asks while jobs run, or when somebody looks.

    :param db: the job database.
    :param of: what is asked about.
    :param agent: a process that has rows.
    """
    day = timedelta(days=1).total_seconds()
    return {
        "executions list": lambda: latest_runs(db),
        "executions list --active": lambda: latest_runs(db, only_active=True),
        "executions list --job": lambda: latest_runs(db, job_name=of.job),
        "executions show": lambda: executions(db, of.run),
        "its attempts": lambda: db.run(_ATTEMPTS_OF_RUN, run=of.run),
        "count of a run's targets": lambda: count_targets(db, of.run),
        "what waits, and for what": lambda: db.run(_WAITING),
        "heartbeat": lambda: heartbeat(db, agent),
        "lost scripts": lambda: lost_scripts(db, expiry_seconds=day),
        "reconciliation of all runs": lambda: settle_leftovers(db, expiry_seconds=day),
        "reconciliation of one run": lambda: settle_leftovers(db, of.active_run, expiry_seconds=day),
    }
