# ruff: noqa: ARG002 - one signature for every entry of a table
# ruff: noqa: ARG005 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
"""Implementations of the functions that ask about the session, the database or the server."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_elasticjobs.sandbox.engine import catalog_views
from airflow_provider_elasticjobs.sandbox.engine.errors import MESSAGES, sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.lexer import tokenize
from airflow_provider_elasticjobs.sandbox.engine.moments import store_moment
from airflow_provider_elasticjobs.sandbox.engine.system_types import SYSTEM_TYPES, max_length
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import TokenCursor

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

PRODUCT_VERSION: Final = "12.0.2000.8"
VERSION_TEXT: Final = "Microsoft SQL Azure (RTM) - 12.0.2000.8 (elastic jobs sandbox, not SQL Server)"
_KINDS: Final = re.compile(r"\s+")
_SERVER: Final[Mapping[str, object]] = {
    "ENGINEEDITION": 5, "EDITION": "SQL Azure", "PRODUCTVERSION": PRODUCT_VERSION, "PRODUCTLEVEL": "RTM",
    "PRODUCTMAJORVERSION": "12", "COLLATION": "SQL_Latin1_General_CP1_CI_AS", "ISCLUSTERED": 0,
    "ISINTEGRATEDSECURITYONLY": 0, "ISFULLTEXTINSTALLED": 0, "ISHADRENABLED": 0, "PROCESSID": os.getpid(),
}  # fmt: skip
_DATABASE: Final[Mapping[str, object]] = {
    "COLLATION": "SQL_Latin1_General_CP1_CI_AS", "STATUS": "ONLINE", "EDITION": "Standard", "UPDATEABILITY": "READ_WRITE",
    "SERVICEOBJECTIVE": "S0", "VERSION": 957, "RECOVERY": "FULL", "USERACCESS": "MULTI_USER",
}  # fmt: skip


class ContextFunctions:
    """The functions bound to one session.

    :param session: whose context they tell
    """

    def __init__(self, session: EngineSession) -> None:
        self._session = session

    def table(self) -> Mapping[str, Callable[..., Any]]:
        """Return every function by its name without the ``tsql_`` prefix."""
        session = self._session
        return {
            "global": self._global, "variable": lambda name: session.frame.variable(name).value,
            "raise": self._raise, "newid": lambda: str(uuid.uuid4()).upper(),
            "newsequentialid": lambda: str(uuid.uuid4()).upper(),
            "getdate": self._now("datetime"), "getutcdate": self._now("datetime"), "current_timestamp": self._now("datetime"),
            "sysdatetime": self._now("datetime2"), "sysutcdatetime": self._now("datetime2"),
            "sysdatetimeoffset": lambda: store_moment(session.state.now, SqlType("datetime2", scale=7)) + " +00:00",
            "object_id": self._object_id, "object_name": self._object_name, "object_schema_name": self._object_schema,
            "object_definition": self._object_definition, "objectproperty": self._object_property,
            "schema_id": lambda name="dbo": None if name is None else session.catalog.schema_id(name),
            "schema_name": lambda number=1: None if number is None else session.catalog.schema_name(number),
            "db_name": self._db_name, "db_id": self._db_id, "type_id": self._type_id, "type_name": self._type_name,
            "col_length": self._col_length, "col_name": self._col_name, "columnproperty": self._column_property,
            "indexproperty": lambda *_: None,
            "serverproperty": self._server_property, "databasepropertyex": self._database_property,
            "has_perms_by_name": self._has_permission, "is_rolemember": self._is_role_member,
            "is_member": self._is_role_member, "is_srvrolemember": lambda *_: int(session.security.is_admin),
            "has_dbaccess": lambda name: None if name is None else int(session.server.find_database(name) is not None),
            "original_login": lambda: session.login, "suser_sname": lambda *_: session.login,
            "suser_name": lambda *_: session.login, "system_user": lambda: session.login,
            "user_name": self._user_name, "current_user": self._user_name, "session_user": self._user_name,
            "user": self._user_name, "user_id": self._principal_id, "database_principal_id": self._principal_id,
            "suser_id": lambda *_: 1, "app_name": lambda: session.application_name,
            "host_name": lambda: session.host_name, "host_id": lambda: str(os.getpid()),
            "scope_identity": lambda: session.frame.identity, "ident_current": self._ident_current,
            "xact_state": lambda: session.transactions.state, "error_number": self._error("number"),
            "error_message": self._error("text"), "error_severity": self._error("severity"),
            "error_state": self._error("state"), "error_line": self._error("line"),
            "error_procedure": lambda: (self._error("procedure")() or None),
            "rowcount_big": lambda: session.state.rowcount, "cursor_status": self._cursor_status,
            "session_context": lambda key: session.state.context.get(str(key).lower()),
            "connectionproperty": lambda name: {"net_transport": "TCP", "auth_scheme": "SQL", "client_net_address": "127.0.0.1"}.get(str(name).lower()),
            "applock_mode": lambda principal, resource, owner="Session": session.server.locks.mode(session.database_file, session, resource, owner),
            "applock_test": lambda principal, resource, mode, owner="Session": int(session.server.locks.test(session.database_file, session, resource, mode)),
            "current_request_id": lambda: 0, "current_transaction_id": lambda: session.session_id, "xact_id": lambda: None,
            "context_info": lambda: None, "getansinull": lambda *_: 1,
            "rows": lambda name: catalog_views.rows(session, name),
        }  # fmt: skip

    def _now(self, name: str) -> Callable[[], str]:
        target = SqlType(name, scale=7 if name == "datetime2" else None)
        return lambda: store_moment(self._session.state.now, target)

    def _raise(self, number: int) -> None:
        if number not in MESSAGES:
            raise sql_error(40510, f"error {number}")
        raise sql_error(number)

    def _global(self, name: str) -> Any:
        session = self._session
        values: Mapping[str, Callable[[], Any]] = {
            "ROWCOUNT": lambda: session.state.rowcount, "ERROR": lambda: session.state.error,
            "TRANCOUNT": lambda: session.transactions.count, "FETCH_STATUS": lambda: session.state.fetch_status,
            "NESTLEVEL": lambda: session.frame.depth, "SPID": lambda: session.session_id,
            "PROCID": lambda: session.frame.procedure_id, "LOCK_TIMEOUT": lambda: session.state.options.lock_timeout,
            "IDENTITY": lambda: session.state.identity, "SERVERNAME": lambda: session.server.name,
            "SERVICENAME": lambda: "MSSQLSERVER", "VERSION": lambda: VERSION_TEXT, "LANGUAGE": lambda: "us_english",
            "DATEFIRST": lambda: 7, "MAX_PRECISION": lambda: 38, "TEXTSIZE": lambda: 2147483647,
            "OPTIONS": lambda: 5496, "CURSOR_ROWS": lambda: 0, "MICROSOFTVERSION": lambda: 201326592,
        }  # fmt: skip
        return values[name]() if name in values else None

    def _parts(self, name: str) -> tuple[str, str]:
        cursor = TokenCursor(name, tokenize(name))
        parsed = cursor.object_name()
        return parsed.schema or "dbo", parsed.name

    def _object_id(self, name: str | None, kind: str | None = None) -> int | None:
        if not name or not name.strip():
            return None
        schema, plain = self._parts(name)
        if plain.startswith("#"):
            table = self._session.temporary_table(plain)
            return table.object_id if table is not None else None
        if schema.lower() in ("sys", "information_schema"):
            return -1 if catalog_views.find(schema, plain) is not None else None
        found = self._session.catalog.find(schema, plain)
        if found is None or (kind and found.type.strip() != kind.strip().upper()):
            return None
        return found.object_id

    def _object(self, number: int | None) -> Any:
        return None if number is None else self._session.catalog.by_id(number)

    def _object_name(self, number: int | None, _: object = None) -> str | None:
        found = self._object(number)
        return found.name if found else None

    def _object_schema(self, number: int | None, _: object = None) -> str | None:
        found = self._object(number)
        return found.schema if found else None

    def _object_definition(self, number: int | None) -> str | None:
        found = self._object(number)
        return (found.definition or None) if found else None

    def _object_property(self, number: int | None, name: str) -> int | None:
        found = self._object(number)
        kinds = {"istable": "U", "isusertable": "U", "isview": "V", "isprocedure": "P", "isprimarykey": "PK"}
        if found is None or name.lower() not in kinds:
            return None
        return int(found.type == kinds[name.lower()])

    def _db_name(self, number: int | None = -1) -> str | None:
        if number == -1:
            return self._session.database
        found = next((each for each in self._session.server.databases() if each.database_id == number), None)
        return found.name if found is not None else None

    def _db_id(self, name: str | None = None) -> int | None:
        found = self._session.server.find_database(name or self._session.database)
        return found.database_id if found is not None else None

    def _type_id(self, name: str) -> int | None:
        plain = _KINDS.sub("", name).strip("[]").split(".")[-1].strip("[]").lower()
        return next((each.user_type_id for each in SYSTEM_TYPES if each.name == plain), None)

    def _type_name(self, number: int) -> str | None:
        return next((each.name for each in SYSTEM_TYPES if each.user_type_id == number), None)

    def _column(self, table: str, column: str) -> Any:
        schema, name = self._parts(table)
        found = self._session.catalog.table(schema, name)
        return found.index.get(column.lower()) if found is not None else None

    def _col_length(self, table: str | None, column: str | None) -> int | None:
        found = self._column(table, column) if table and column else None
        return max_length(found.type) if found is not None else None

    def _col_name(self, number: int, column_id: int) -> str | None:
        found = self._object(number)
        if found is None:
            return None
        columns = self._session.catalog.table_of(found).columns
        return next((each.name for each in columns if each.column_id == column_id), None)

    def _column_property(self, number: int, column: str, name: str) -> int | None:
        found = self._object(number)
        info = self._session.catalog.table_of(found).index.get(column.lower()) if found is not None else None
        if info is None:
            return None
        values = {
            "allowsnull": info.type.nullable,
            "isidentity": info.identity is not None,
            "iscomputed": bool(info.computed),
        }
        if name.lower() == "columnid":
            return int(info.column_id)
        return int(values[name.lower()]) if name.lower() in values else None

    def _server_property(self, name: str) -> Any:
        key = name.upper()
        return self._session.server.name if key in ("SERVERNAME", "MACHINENAME", "INSTANCENAME") else _SERVER.get(key)

    def _database_property(self, database: str, name: str) -> Any:
        found = self._session.server.find_database(database)
        if found is None:
            return None
        return found.state if name.upper() == "STATUS" else _DATABASE.get(name.upper())

    def _has_permission(
        self, securable: str | None, kind: str | None, permission: str | None, *_: object
    ) -> int | None:
        held = self._session.security.has_permission(securable, kind, permission or "ANY")
        return None if held is None else int(held)

    def _is_role_member(self, role: str, _: object = None) -> int | None:
        return self._session.security.is_role_member(role)

    def _user_name(self, _: object = None) -> str:
        return self._session.security.user_name

    def _principal_id(self, name: str | None = None) -> int | None:
        return self._session.security.principal_id(name or self._session.security.user_name)

    def _ident_current(self, table: str) -> int | None:
        schema, name = self._parts(table)
        found = self._session.catalog.table(schema, name)
        return self._session.identities.current(found) if found is not None else None

    def _error(self, name: str) -> Callable[[], Any]:
        def value() -> Any:
            errors = self._session.handled_errors
            return getattr(errors[-1], name) if errors else None

        return value

    def _cursor_status(self, kind: str, name: str) -> int:
        found = self._session.find_cursor(name.lower())
        return -3 if found is None else -1 if found.rows is None else 1
