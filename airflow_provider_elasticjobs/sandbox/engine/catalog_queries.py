# ruff: noqa: E501 - SQL Server's texts in one piece
# ruff: noqa: ISC004 - SQL text over several lines
"""Columns and queries of the catalog views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_TYPE_DESC: Final = (
    "CASE o.type WHEN 'U' THEN 'USER_TABLE' WHEN 'V' THEN 'VIEW' WHEN 'P' THEN 'SQL_STORED_PROCEDURE'"
    " WHEN 'PK' THEN 'PRIMARY_KEY_CONSTRAINT' WHEN 'UQ' THEN 'UNIQUE_CONSTRAINT' WHEN 'F' THEN 'FOREIGN_KEY_CONSTRAINT'"
    " WHEN 'C' THEN 'CHECK_CONSTRAINT' WHEN 'D' THEN 'DEFAULT_CONSTRAINT' END"
)
_OBJECT: Final = (
    f"SELECT o.name, o.object_id, NULL AS principal_id, o.schema_id, o.parent_object_id, o.type, {_TYPE_DESC} AS type_desc,"
    ' o.create_date, o.modify_date, 0 AS is_ms_shipped FROM "sys$objects" o'
)
_OBJECT_COLUMNS: Final = (
    "name sysname, object_id int, principal_id int, schema_id int, parent_object_id int, type char:2,"
    " type_desc nvarchar:60, create_date datetime, modify_date datetime, is_ms_shipped bit"
)
_PRINCIPALS: Final = (
    "name sysname, principal_id int, type char:1, type_desc nvarchar:60, default_schema_name sysname, create_date datetime,"
    " modify_date datetime, owning_principal_id int, sid varbinary:85, is_fixed_role bit, authentication_type int,"
    " authentication_type_desc nvarchar:60"
)

STATIC: Final[Mapping[str, tuple[str, str]]] = {
    "sys.objects": (_OBJECT_COLUMNS, _OBJECT),
    "sys.all_objects": (_OBJECT_COLUMNS, _OBJECT),
    "sys.tables": (
        _OBJECT_COLUMNS + ", temporal_type tinyint, is_external bit",
        _OBJECT.replace(" FROM", ", 0 AS temporal_type, 0 AS is_external FROM", 1) + " WHERE o.type = 'U'",
    ),
    "sys.views": (_OBJECT_COLUMNS, _OBJECT + " WHERE o.type = 'V'"),
    "sys.procedures": (_OBJECT_COLUMNS, _OBJECT + " WHERE o.type = 'P'"),
    "sys.triggers": (_OBJECT_COLUMNS, _OBJECT + " WHERE 0"),
    "sys.schemas": ("name sysname, schema_id int, principal_id int", 'SELECT name, schema_id, principal_id FROM "sys$schemas"'),
    "sys.columns": (
        "object_id int, name sysname, column_id int, system_type_id tinyint, user_type_id int, max_length smallint,"
        " precision tinyint, scale tinyint, collation_name sysname, is_nullable bit, is_identity bit, is_computed bit,"
        " default_object_id int",
        "SELECT object_id, name, column_id, tsql_type_info(type, 'system_type_id') AS system_type_id,"
        " tsql_type_info(type, 'user_type_id') AS user_type_id, tsql_type_info(type, 'max_length') AS max_length,"
        " tsql_type_info(type, 'precision') AS precision, tsql_type_info(type, 'scale') AS scale,"
        " CASE WHEN type LIKE '%char%' THEN 'SQL_Latin1_General_CP1_CI_AS' END AS collation_name, is_nullable,"
        " seed IS NOT NULL AS is_identity, computed_text <> '' AS is_computed, ifnull(default_id, 0) AS default_object_id"
        ' FROM "sys$columns"',
    ),
    "sys.identity_columns": (
        "object_id int, name sysname, column_id int, seed_value bigint, increment_value bigint, last_value bigint",
        "SELECT c.object_id, c.name, c.column_id, c.seed AS seed_value, c.increment AS increment_value, i.last_value"
        ' FROM "sys$columns" c LEFT JOIN "sys$identity" i ON i.object_id = c.object_id WHERE c.seed IS NOT NULL',
    ),
    "sys.computed_columns": (
        "object_id int, name sysname, column_id int, definition nvarchar:-1",
        "SELECT object_id, name, column_id, '(' || computed_text || ')' AS definition FROM \"sys$columns\""
        " WHERE computed_text <> ''",
    ),
    "sys.default_constraints": (
        _OBJECT_COLUMNS + ", parent_column_id int, definition nvarchar:-1, is_system_named bit",
        _OBJECT.replace(" FROM", ", c.column_id AS parent_column_id, '(' || c.default_text || ')' AS definition,"
                        " 0 AS is_system_named FROM", 1)
        + ' JOIN "sys$columns" c ON c.default_id = o.object_id WHERE o.type = \'D\'',
    ),
    "sys.check_constraints": (
        _OBJECT_COLUMNS + ", definition nvarchar:-1, is_disabled bit, is_not_trusted bit",
        _OBJECT.replace(" FROM", ", '(' || c.text || ')' AS definition, 0 AS is_disabled, 0 AS is_not_trusted FROM", 1)
        + ' JOIN "sys$checks" c ON c.object_id = o.object_id',
    ),
    "sys.foreign_keys": (
        _OBJECT_COLUMNS + ", referenced_object_id int, is_disabled bit, is_not_trusted bit",
        _OBJECT.replace(" FROM", ", f.referenced_object_id, 0 AS is_disabled, 0 AS is_not_trusted FROM", 1)
        + ' JOIN "sys$foreign_keys" f ON f.object_id = o.object_id',
    ),
    "sys.foreign_key_columns": (
        "constraint_object_id int, constraint_column_id int, parent_object_id int, parent_column_id int,"
        " referenced_object_id int, referenced_column_id int",
        "SELECT f.object_id AS constraint_object_id, a.key + 1 AS constraint_column_id, f.parent_object_id,"
        " c.column_id AS parent_column_id, f.referenced_object_id, r.column_id AS referenced_column_id"
        ' FROM "sys$foreign_keys" f JOIN json_each(f.columns) a JOIN json_each(f.referenced_columns) b ON b.key = a.key'
        ' JOIN "sys$columns" c ON c.object_id = f.parent_object_id AND c.name = a.value'
        ' JOIN "sys$columns" r ON r.object_id = f.referenced_object_id AND r.name = b.value',
    ),
    "sys.key_constraints": (
        _OBJECT_COLUMNS + ", unique_index_id int, is_system_named bit",
        _OBJECT.replace(" FROM", ", i.index_id AS unique_index_id, 0 AS is_system_named FROM", 1)
        + ' LEFT JOIN "sys$indexes" i ON i.object_id = o.parent_object_id AND i.name = o.name WHERE o.type IN (\'PK\', \'UQ\')',
    ),
    "sys.indexes": (
        "object_id int, name sysname, index_id int, type tinyint, type_desc nvarchar:60, is_unique bit,"
        " is_primary_key bit, is_unique_constraint bit, is_disabled bit, has_filter bit, filter_definition nvarchar:-1",
        "SELECT object_id, name, index_id, type, CASE type WHEN 0 THEN 'HEAP' WHEN 1 THEN 'CLUSTERED' ELSE 'NONCLUSTERED' END"
        " AS type_desc, is_unique, is_primary_key, is_unique_constraint, 0 AS is_disabled, filter <> '' AS has_filter,"
        " CASE WHEN filter <> '' THEN '(' || filter || ')' END AS filter_definition FROM \"sys$indexes\"",
    ),
    "sys.index_columns": (
        "object_id int, index_id int, index_column_id int, column_id int, key_ordinal tinyint, is_descending_key bit,"
        " is_included_column bit",
        "SELECT object_id, index_id, index_column_id, column_id, key_ordinal, is_descending AS is_descending_key,"
        ' is_included AS is_included_column FROM "sys$index_columns"',
    ),
    "sys.parameters": (
        "object_id int, name sysname, parameter_id int, system_type_id tinyint, user_type_id int, max_length smallint,"
        " precision tinyint, scale tinyint, is_output bit, has_default_value bit",
        "SELECT object_id, name, parameter_id, tsql_type_info(type, 'system_type_id') AS system_type_id,"
        " tsql_type_info(type, 'user_type_id') AS user_type_id, tsql_type_info(type, 'max_length') AS max_length,"
        " tsql_type_info(type, 'precision') AS precision, tsql_type_info(type, 'scale') AS scale, is_output,"
        ' has_default AS has_default_value FROM "sys$parameters"',
    ),
    "sys.sql_modules": (
        "object_id int, definition nvarchar:-1, uses_ansi_nulls bit, uses_quoted_identifier bit",
        "SELECT object_id, definition, 1 AS uses_ansi_nulls, 1 AS uses_quoted_identifier FROM \"sys$objects\""
        " WHERE type IN ('P', 'V')",
    ),
    "sys.partitions": (
        "object_id int, index_id int, partition_number int, rows bigint",
        "SELECT object_id, index_id, 1 AS partition_number, tsql_row_count(object_id) AS rows FROM \"sys$indexes\"",
    ),
    "sys.database_principals": (
        _PRINCIPALS,
        "SELECT name, principal_id, type, CASE type WHEN 'R' THEN 'DATABASE_ROLE' WHEN 'E' THEN 'EXTERNAL_USER'"
        " ELSE 'SQL_USER' END AS type_desc, CASE WHEN type = 'R' THEN NULL ELSE 'dbo' END AS default_schema_name,"
        " create_date, create_date AS modify_date, NULL AS owning_principal_id, NULL AS sid, is_fixed AS is_fixed_role,"
        " CASE WHEN type = 'R' THEN 0 ELSE 1 END AS authentication_type,"
        " CASE WHEN type = 'R' THEN 'NONE' ELSE 'INSTANCE' END AS authentication_type_desc FROM \"sys$principals\"",
    ),
    "sys.database_role_members": (
        "role_principal_id int, member_principal_id int",
        'SELECT role_id AS role_principal_id, member_id AS member_principal_id FROM "sys$role_members"',
    ),
    "sys.database_permissions": (
        "class tinyint, class_desc nvarchar:60, major_id int, minor_id int, grantee_principal_id int,"
        " grantor_principal_id int, type char:4, permission_name nvarchar:128, state char:1, state_desc nvarchar:60",
        "SELECT CASE class WHEN 'DATABASE' THEN 0 WHEN 'OBJECT' THEN 1 ELSE 3 END AS class,"
        " CASE class WHEN 'OBJECT' THEN 'OBJECT_OR_COLUMN' ELSE class END AS class_desc, major_id, 0 AS minor_id,"
        " grantee AS grantee_principal_id, 1 AS grantor_principal_id, substr(permission, 1, 2) AS type,"
        " permission AS permission_name, substr(state, 1, 1) AS state, state AS state_desc FROM \"sys$permissions\"",
    ),
    "information_schema.tables": (
        "TABLE_CATALOG sysname, TABLE_SCHEMA sysname, TABLE_NAME sysname, TABLE_TYPE varchar:10",
        "SELECT tsql_db_name() AS TABLE_CATALOG, s.name AS TABLE_SCHEMA, o.name AS TABLE_NAME,"
        " CASE o.type WHEN 'U' THEN 'BASE TABLE' ELSE 'VIEW' END AS TABLE_TYPE"
        ' FROM "sys$objects" o JOIN "sys$schemas" s ON s.schema_id = o.schema_id WHERE o.type IN (\'U\', \'V\')',
    ),
    "information_schema.columns": (
        "TABLE_CATALOG sysname, TABLE_SCHEMA sysname, TABLE_NAME sysname, COLUMN_NAME sysname, ORDINAL_POSITION int,"
        " COLUMN_DEFAULT nvarchar:4000, IS_NULLABLE varchar:3, DATA_TYPE sysname, CHARACTER_MAXIMUM_LENGTH int,"
        " NUMERIC_PRECISION tinyint, NUMERIC_SCALE int, DATETIME_PRECISION smallint",
        "SELECT tsql_db_name() AS TABLE_CATALOG, s.name AS TABLE_SCHEMA, o.name AS TABLE_NAME, c.name AS COLUMN_NAME,"
        " c.column_id AS ORDINAL_POSITION, CASE WHEN c.default_text <> '' THEN '(' || c.default_text || ')' END AS COLUMN_DEFAULT,"
        " CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END AS IS_NULLABLE, tsql_type_info(c.type, 'name') AS DATA_TYPE,"
        " tsql_type_info(c.type, 'characters') AS CHARACTER_MAXIMUM_LENGTH,"
        " tsql_type_info(c.type, 'numeric_precision') AS NUMERIC_PRECISION,"
        " tsql_type_info(c.type, 'numeric_scale') AS NUMERIC_SCALE,"
        " tsql_type_info(c.type, 'datetime_precision') AS DATETIME_PRECISION"
        ' FROM "sys$columns" c JOIN "sys$objects" o ON o.object_id = c.object_id'
        ' JOIN "sys$schemas" s ON s.schema_id = o.schema_id',
    ),
    "information_schema.schemata": (
        "CATALOG_NAME sysname, SCHEMA_NAME sysname, SCHEMA_OWNER sysname",
        "SELECT tsql_db_name() AS CATALOG_NAME, name AS SCHEMA_NAME, 'dbo' AS SCHEMA_OWNER FROM \"sys$schemas\"",
    ),
    "information_schema.routines": (
        "ROUTINE_CATALOG sysname, ROUTINE_SCHEMA sysname, ROUTINE_NAME sysname, ROUTINE_TYPE nvarchar:20,"
        " ROUTINE_DEFINITION nvarchar:4000",
        "SELECT tsql_db_name() AS ROUTINE_CATALOG, s.name AS ROUTINE_SCHEMA, o.name AS ROUTINE_NAME,"
        " 'PROCEDURE' AS ROUTINE_TYPE, o.definition AS ROUTINE_DEFINITION"
        ' FROM "sys$objects" o JOIN "sys$schemas" s ON s.schema_id = o.schema_id WHERE o.type = \'P\'',
    ),
    "information_schema.views": (
        "TABLE_CATALOG sysname, TABLE_SCHEMA sysname, TABLE_NAME sysname, VIEW_DEFINITION nvarchar:4000",
        "SELECT tsql_db_name() AS TABLE_CATALOG, s.name AS TABLE_SCHEMA, o.name AS TABLE_NAME,"
        " o.definition AS VIEW_DEFINITION"
        ' FROM "sys$objects" o JOIN "sys$schemas" s ON s.schema_id = o.schema_id WHERE o.type = \'V\'',
    ),
}  # fmt: skip
"""Views over the metadata tables: columns, and the query."""

DYNAMIC: Final[Mapping[str, str]] = {
    "sys.databases": "name sysname, database_id int, source_database_id int, create_date datetime, compatibility_level tinyint,"
    " collation_name sysname, is_read_only bit, is_auto_close_on bit, state tinyint, state_desc nvarchar:60,"
    " user_access tinyint, user_access_desc nvarchar:60, is_read_committed_snapshot_on bit, snapshot_isolation_state tinyint,"
    " recovery_model tinyint, recovery_model_desc nvarchar:60, is_encrypted bit",
    "sys.database_service_objectives": "database_id int, edition sysname, service_objective sysname, elastic_pool_name sysname",
    "sys.elastic_pool_resource_stats": "elastic_pool_name sysname, edition sysname",
    "sys.resource_stats": "start_time datetime, end_time datetime, database_name nvarchar:128, sku nvarchar:128,"
    " storage_in_megabytes float, avg_cpu_percent float, avg_data_io_percent float, avg_log_write_percent float",
    "sys.master_files": "database_id int, file_id int, type tinyint, type_desc nvarchar:60, name sysname, size int,"
    " state_desc nvarchar:60",
    "sys.dm_exec_sessions": "session_id smallint, login_time datetime, host_name nvarchar:128, program_name nvarchar:128,"
    " login_name nvarchar:128, status nvarchar:30, database_id smallint, is_user_process bit, open_transaction_count int,"
    " original_login_name nvarchar:128",
    "sys.dm_exec_requests": "session_id smallint, request_id int, start_time datetime, status nvarchar:30, command nvarchar:32,"
    " database_id smallint, wait_type nvarchar:60, blocking_session_id smallint, open_transaction_count int",
    "sys.dm_tran_locks": "resource_type nvarchar:60, resource_database_id int, resource_description nvarchar:256,"
    " request_mode nvarchar:60, request_status nvarchar:60, request_session_id int, request_owner_type nvarchar:60",
    "sys.dm_exec_connections": "session_id int, connect_time datetime, net_transport nvarchar:40, encrypt_option nvarchar:40,"
    " auth_scheme nvarchar:40, client_net_address varchar:48",
    "sys.types": "name sysname, system_type_id tinyint, user_type_id int, schema_id int, principal_id int, max_length smallint,"
    " precision tinyint, scale tinyint, is_nullable bit, is_user_defined bit, is_table_type bit",
    "sys.messages": "message_id int, language_id smallint, severity tinyint, is_event_logged bit, text nvarchar:2048",
    "sys.sql_logins": "name sysname, principal_id int, type char:1, type_desc nvarchar:60, is_disabled bit",
    "sys.server_principals": "name sysname, principal_id int, type char:1, type_desc nvarchar:60, is_disabled bit",
    "sys.configurations": "configuration_id int, name nvarchar:35, value int, value_in_use int",
    "sys.synonyms": "name sysname, object_id int, schema_id int, base_object_name nvarchar:1035",
    "sys.sequences": "name sysname, object_id int, schema_id int",
}  # fmt: skip
"""Views whose rows are in memory: their columns."""
