"""What one would write with Airflow's own operators: a task that lists a server's databases, and one for each of them.

A copy of this file is one DAG; a file that the environment names tells what it does, by the copy's name.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from airflow.providers.odbc.hooks.odbc import OdbcHook
from airflow.sdk import DAG, task

dag_id = Path(__file__).stem
plan = json.loads(Path(os.environ["BENCHMARK_PLAN"]).read_text())[dag_id]


@task
def databases(conn_id: str, like: str) -> list[dict[str, str]]:
    """List the databases of a server, each as the hook's argument that overrides the connection's own."""
    rows = OdbcHook(odbc_conn_id=conn_id).get_records("SELECT name FROM sys.databases WHERE name LIKE ?", (like,))
    return [{"database": name} for (name,) in rows]


with DAG(dag_id, schedule=None, max_active_tasks=10_000):
    for number, conn_id in enumerate(plan["odbc_conn_ids"], start=1):
        SQLExecuteQueryOperator.partial(
            task_id=f"run_{number}",
            conn_id=conn_id,
            sql=plan["command"],
            autocommit=True,
            do_xcom_push=False,
            pool=plan["pool"],
        ).expand(hook_params=databases.override(task_id=f"databases_{number}")(conn_id, plan["like"]))
