"""The signatures of the procedures, compared with the reference (section 1), as ``sys.parameters`` shows them."""

from __future__ import annotations

import pytest

from airflow_provider_elasticjobs.exceptions import JobDatabaseError
from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import JobDatabase

_STEP_TAIL = """
@initial_retry_interval_seconds int; @maximum_retry_interval_seconds int; @retry_interval_backoff_multiplier real;
@retry_attempts int; @step_timeout_seconds int; @output_type nvarchar(50); @output_credential_name nvarchar(128)
"""
_OUTPUT_TAIL = """
@output_database_name nvarchar(128); @output_schema_name nvarchar(128); @output_table_name nvarchar(128);
@job_version int OUTPUT; @max_parallelism int
"""

PARAMETERS = {
    "sp_add_job": """
@job_name nvarchar(128); @description nvarchar(512); @enabled bit; @schedule_interval_type nvarchar(50);
@schedule_interval_count int; @schedule_start_time datetime2; @schedule_end_time datetime2;
@job_id uniqueidentifier OUTPUT
""",
    "sp_update_job": """
@job_name nvarchar(128); @new_name nvarchar(128); @description nvarchar(512); @enabled bit;
@schedule_interval_type nvarchar(50); @schedule_interval_count int; @schedule_start_time datetime2;
@schedule_end_time datetime2
""",
    "sp_delete_job": "@job_name nvarchar(128); @force bit",
    "sp_add_jobstep": f"""
@job_name nvarchar(128); @step_id int OUTPUT; @step_name nvarchar(128); @command_type nvarchar(50);
@command_source nvarchar(50); @command nvarchar(max); @credential_name nvarchar(128); @target_group_name nvarchar(128);
{_STEP_TAIL}; @output_subscription_id uniqueidentifier; @output_resource_group_name nvarchar(128);
@output_server_name nvarchar(256); {_OUTPUT_TAIL}
""",
    "sp_update_jobstep": f"""
@job_name nvarchar(128); @step_id int; @step_name nvarchar(128); @new_id int; @new_name nvarchar(128);
@command_type nvarchar(50); @command_source nvarchar(50); @command nvarchar(max); @credential_name nvarchar(128);
@target_group_name nvarchar(128); {_STEP_TAIL}; @output_server_name nvarchar(256);
@output_subscription_id uniqueidentifier; @output_resource_group_name nvarchar(128); {_OUTPUT_TAIL}
""",
    "sp_delete_jobstep": "@job_name nvarchar(128); @step_id int; @step_name nvarchar(128); @job_version int OUTPUT",
    "sp_start_job": "@job_name nvarchar(128); @job_execution_id uniqueidentifier OUTPUT",
    "sp_stop_job": "@job_execution_id uniqueidentifier",
    "sp_add_target_group": "@target_group_name nvarchar(128); @target_group_id uniqueidentifier OUTPUT",
    "sp_delete_target_group": "@target_group_name nvarchar(128); @force bit",
    "sp_add_target_group_member": """
@target_group_name nvarchar(128); @membership_type nvarchar(50); @target_type nvarchar(50);
@refresh_credential_name nvarchar(128); @server_name nvarchar(256); @database_name nvarchar(128);
@elastic_pool_name nvarchar(128); @shard_map_name nvarchar(128); @target_id uniqueidentifier OUTPUT
""",
    "sp_delete_target_group_member": "@target_group_name nvarchar(128); @target_id uniqueidentifier",
    "sp_purge_jobhistory": "@job_name nvarchar(128); @job_id uniqueidentifier; @oldest_date datetime2",
}

_PARAMETERS = Batch(
    """
SELECT p.name, t.name AS type_name, p.max_length, p.is_output
FROM sys.parameters AS p
INNER JOIN sys.objects AS o ON o.object_id = p.object_id
INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id
INNER JOIN sys.types AS t ON t.user_type_id = p.user_type_id
WHERE s.name = 'jobs' AND o.name = @procedure AND p.parameter_id > 0
ORDER BY p.parameter_id;
""",
    procedure="nvarchar(128)",
)
_PROCEDURES = Batch(
    """
SELECT o.name FROM sys.objects AS o INNER JOIN sys.schemas AS s ON s.schema_id = o.schema_id
WHERE s.name = 'jobs' AND o.type = 'P';
"""
)


def test_there_are_thirteen(db: JobDatabase) -> None:
    assert {row.name for row in db.run(_PROCEDURES)} == set(PARAMETERS)
    assert len(PARAMETERS) == 13


@pytest.mark.parametrize("procedure", PARAMETERS)
def test_names_order_types_and_output(installed: JobDatabase, procedure: str) -> None:
    try:
        rows = installed.run(_PARAMETERS, procedure=procedure)
    except JobDatabaseError as error:
        if "does not exist" not in str(error):
            raise
        pytest.skip("Babelfish has no sys.parameters")
    expected = [" ".join(one.split()) for one in PARAMETERS[procedure].split(";")]
    assert [_shown(*row) for row in rows] == expected


def _shown(name: str, type_name: str, length: int, is_output: bool) -> str:
    if type_name == "nvarchar":
        type_name = f"nvarchar({'max' if length == -1 else length // 2})"
    return f"{name} {type_name}{' OUTPUT' if is_output else ''}"
