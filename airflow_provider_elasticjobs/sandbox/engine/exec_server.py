# ruff: noqa: E501 - SQL Server's texts in one piece
"""Executes statements about databases, principals and permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine import definitions as d
from airflow_provider_elasticjobs.sandbox.engine.catalog_write import CatalogWriter
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error, unsupported

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


class ServerExecution:
    """Executes statements that change the server or its principals, for one session."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session
        self._writer = CatalogWriter(session)

    def database(self, statement: d.DatabaseCommand) -> None:
        """Execute CREATE, ALTER or DROP DATABASE."""
        session = self._session
        if session.transactions.count:
            raise SqlError(226, f"{statement.verb} DATABASE statement not allowed within multi-statement transaction.")
        if not session.security.is_admin:
            raise SqlError(262, f"{statement.verb} DATABASE permission denied in database 'master'.", severity=14)
        current = statement.name.upper() == "CURRENT" or statement.name.lower() == session.database.lower()
        if session.database.lower() != "master" and not (statement.verb == "ALTER" and current):
            raise SqlError(
                40510, f"Statement '{statement.verb} DATABASE' is not supported outside the master database."
            )
        name = session.database if statement.name.upper() == "CURRENT" else statement.name
        if statement.verb == "CREATE":
            session.server.create_database(name, elastic_pool=statement.elastic_pool or None)
        elif statement.verb == "DROP":
            self._drop(name, statement.if_exists)
        else:
            found = session.server.find_database(name)
            if found is None:
                raise sql_error(911, name)
            if statement.elastic_pool is not None:
                found.elastic_pool = statement.elastic_pool or None
        session.state.rowcount = 0

    def _drop(self, name: str, if_exists: bool) -> None:
        if self._session.server.find_database(name) is None:
            if if_exists:
                return
            raise sql_error(3701, "database", name)
        self._session.server.drop_database(name)

    def principal(self, statement: d.PrincipalCommand) -> None:
        """Execute CREATE, ALTER or DROP of a ROLE, USER or LOGIN."""
        self._require(statement)
        if statement.kind == "LOGIN":
            self._login(statement)
            return
        with self._session.transactions.writing():
            if statement.verb == "CREATE":
                self._create(statement)
            elif statement.verb == "DROP":
                self._remove(statement)
            elif statement.kind == "ROLE":
                self._member(statement)
            self._writer.bump()

    def _require(self, statement: d.PrincipalCommand) -> None:
        security = self._session.security
        if statement.kind == "ROLE" and statement.verb == "CREATE":
            if not security.has_permission(None, "DATABASE", "CREATE ROLE"):
                raise SqlError(15247, "User does not have permission to perform this action.")
        elif not security.is_owner:
            raise sql_error(15151, statement.kind.lower(), statement.name)

    def _login(self, statement: d.PrincipalCommand) -> None:
        server = self._session.server
        if statement.verb == "CREATE" and server.has_login(statement.name):
            raise sql_error(15025, statement.name)
        if statement.verb != "CREATE" and not server.has_login(statement.name):
            raise sql_error(15151, "login", statement.name)
        if statement.verb == "DROP":
            server.remove_login(statement.name)
        else:
            server.add_login(statement.name, statement.detail)

    def _create(self, statement: d.PrincipalCommand) -> None:
        security, connection = self._session.security, self._session.connection
        if security.principal_id(statement.name) is not None:
            raise sql_error(15023, statement.name)
        kind = "R" if statement.kind == "ROLE" else "E" if statement.action == "EXTERNAL" else "S"
        login = None if kind == "R" or statement.action == "WITHOUT" else statement.detail or statement.name
        if statement.action == "LOGIN" and not self._session.server.has_login(statement.detail):
            raise SqlError(15007, f"'{statement.detail}' is not a valid login or you do not have permission.")
        if kind == "S" and statement.action not in ("LOGIN", "WITHOUT"):
            if not statement.detail:
                login = statement.name
            else:
                self._session.server.add_login(statement.name, statement.detail, database=self._session.database)
                login = statement.name
        connection.execute(
            'INSERT INTO "sys$principals" SELECT max(4, (SELECT max(principal_id) FROM "sys$principals" WHERE principal_id < 16384)) + 1,'
            " ?, ?, ?, 0, strftime('%Y-%m-%d %H:%M:%f0000')",
            (statement.name, kind, login),
        )

    def _known(self, name: str, kind: str) -> int:
        found = self._session.security.principal_id(name)
        if found is None:
            raise sql_error(15151, kind, name)
        return found

    def _remove(self, statement: d.PrincipalCommand) -> None:
        if statement.if_exists and self._session.security.principal_id(statement.name) is None:
            return
        number = self._known(statement.name, statement.kind.lower())
        connection = self._session.connection
        members = connection.execute('SELECT 1 FROM "sys$role_members" WHERE role_id = ?', (number,)).fetchone()
        if members and statement.kind == "ROLE":
            raise SqlError(15144, "The role has members. It must be empty before it can be dropped.")
        for text in (
            'DELETE FROM "sys$principals" WHERE principal_id = ?',
            'DELETE FROM "sys$role_members" WHERE member_id = ?',
            'DELETE FROM "sys$permissions" WHERE grantee = ?',
        ):
            connection.execute(text, (number,))

    def _member(self, statement: d.PrincipalCommand) -> None:
        role, member = self._known(statement.name, "role"), self._known(statement.detail, "user")
        text = (
            'INSERT OR IGNORE INTO "sys$role_members" VALUES (?, ?)'
            if statement.action == "ADD"
            else 'DELETE FROM "sys$role_members" WHERE role_id = ? AND member_id = ?'
        )
        self._session.connection.execute(text, (role, member))

    def permission(self, statement: d.Permission) -> None:
        """Execute GRANT, DENY or REVOKE."""
        kind, number = self._securable(statement)
        security = self._session.security
        if not security.is_owner and not (kind == "SCHEMA" and security.owns(number)):
            raise sql_error(15151, "object", statement.securable or "database")
        with self._session.transactions.writing():
            for principal in statement.principals:
                grantee = self._known(principal, "user")
                for permission in statement.permissions:
                    self._set(statement.verb, permission, kind, number, grantee)
            self._writer.bump()

    def _set(self, verb: str, permission: str, kind: str, number: int, grantee: int) -> None:
        connection = self._session.connection
        connection.execute(
            'DELETE FROM "sys$permissions" WHERE permission = ? AND class = ? AND major_id = ? AND grantee = ?',
            (permission, kind, number, grantee),
        )
        if verb != "REVOKE":
            connection.execute(
                'INSERT INTO "sys$permissions" VALUES (?, ?, ?, ?, ?)', (verb, permission, kind, number, grantee)
            )

    def _securable(self, statement: d.Permission) -> tuple[str, int]:
        catalog, name = self._session.catalog, statement.securable
        if name is None or statement.securable_class == "DATABASE":
            return "DATABASE", 0
        if statement.securable_class == "SCHEMA":
            found = catalog.schema_id(name.name)
            if found is None:
                raise sql_error(15151, "schema", name)
            return "SCHEMA", found
        if statement.securable_class != "OBJECT":
            raise unsupported(f"{statement.verb} ON {statement.securable_class}")
        info = catalog.find(name.schema or "dbo", name.name)
        if info is None:
            raise sql_error(15151, "object", name)
        return "OBJECT", info.object_id
