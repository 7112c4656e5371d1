"""What Airflow itself takes for a task that defers: one task for each database, whose trigger ends at once.

A copy of this file is one DAG; a file that the environment names tells what it does, by the copy's name.
"""

from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow.providers.odbc.hooks.odbc import OdbcHook
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import DAG, BaseOperator, task

dag_id = Path(__file__).stem
plan = json.loads(Path(os.environ["BENCHMARK_PLAN"]).read_text())[dag_id]


class DeferOperator(BaseOperator):
    """Defers to a trigger of Airflow's own for a moment that has passed, which ends the task."""

    def __init__(self, *, database: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.database = database

    def execute(self, context: Any) -> None:  # noqa: ARG002 Airflow's signature
        """Run nothing."""
        trigger = DateTimeTrigger(moment=datetime.now(timezone.utc), end_from_trigger=True)
        self.defer(trigger=trigger, method_name="execute_complete")


@task
def databases(conn_id: str, like: str) -> list[str]:
    """List the databases of a server."""
    rows = OdbcHook(odbc_conn_id=conn_id).get_records("SELECT name FROM sys.databases WHERE name LIKE ?", (like,))
    return [name for (name,) in rows]


with DAG(dag_id, schedule=None, max_active_tasks=10_000):
    for number, conn_id in enumerate(plan["odbc_conn_ids"], start=1):
        DeferOperator.partial(task_id=f"run_{number}", pool=plan["pool"]).expand(
            database=databases.override(task_id=f"databases_{number}")(conn_id, plan["like"])
        )
