"""Who the session is in its database, and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


class Security:
    """The rights of one session; the server's own logins are administrators and may do everything.

    :param session: whose rights
    :param is_admin: whether the login is an administrator
    """

    def __init__(self, session: EngineSession, *, is_admin: bool) -> None:
        self._session = session
        self.is_admin = is_admin

    @property
    def user_name(self) -> str:
        """The database user."""
        if self.is_admin:
            return "dbo"
        row = self._session.connection.execute(
            'SELECT name FROM "sys$principals" WHERE login = ?', (self._session.login,)
        ).fetchone()
        return str(row[0]) if row is not None else "guest"

    def principal_id(self, name: str) -> int | None:
        """Return a principal's id or None."""
        row = self._session.connection.execute(
            'SELECT principal_id FROM "sys$principals" WHERE name = ?', (name,)
        ).fetchone()
        return None if row is None else int(row[0])

    def _principals(self) -> set[int]:
        start = self.principal_id(self.user_name)
        found = {0} if start is None else {0, start}
        while True:
            marks = ", ".join(str(number) for number in found)
            rows = self._session.connection.execute(
                f'SELECT role_id FROM "sys$role_members" WHERE member_id IN ({marks})'
            ).fetchall()
            grown = found | {int(row[0]) for row in rows}
            if grown == found:
                return found
            found = grown

    def is_role_member(self, role: str) -> int | None:
        """Return 1 or 0; None for an unknown role."""
        number = self.principal_id(role)
        if number is None:
            return None
        return int(self.is_admin or number in self._principals())

    def has_permission(self, securable: str | None, kind: str | None, permission: str) -> bool:
        """Return what HAS_PERMS_BY_NAME does, roughly: by rights on the whole database."""
        if self.is_admin or bool(self.is_role_member("db_owner")):
            return True
        if kind and kind.upper() == "OBJECT" and securable:
            schema, _, name = securable.replace("[", "").replace("]", "").rpartition(".")
            table = self._session.catalog.table(schema or "dbo", name)
            return table is not None and self._allowed(permission.upper(), table)
        return self._granted(permission.upper(), "DATABASE", 0) == "GRANT"

    @property
    def is_chained(self) -> bool:
        """Whether a procedure's own statement runs: it reaches all objects, which have one owner here (dbo)."""
        return bool(self._session.frame.procedure)

    def require(self, permission: str, table: TableInfo) -> None:
        """Check a right on a table.

        :raises SqlError: 229
        """
        if self.is_admin or self.is_chained or table.kind in ("S", "T") or self._allowed(permission, table):
            return
        raise sql_error(229, permission, table.name, self._session.database, table.schema)

    def require_ddl(self, permission: str) -> None:
        """Check the right to change the schema.

        :raises SqlError: 262
        """
        roles = ("db_owner", "db_ddladmin")
        if self.is_admin or any(self.is_role_member(role) for role in roles):
            return
        if self._granted("CONTROL", "DATABASE", 0) != "GRANT" and self._granted(permission, "DATABASE", 0) != "GRANT":
            raise sql_error(262, permission, self._session.database)

    def require_execute(self, object_id: int, schema_id: int, schema: str, name: str) -> None:
        """Check the right to execute a procedure.

        :raises SqlError: 229
        """
        if self.is_admin or self.is_chained or self.is_role_member("db_owner"):
            return
        states = [
            self._granted("EXECUTE", kind, number)
            for kind, number in (("OBJECT", object_id), ("SCHEMA", schema_id), ("DATABASE", 0))
        ]
        if "DENY" in states or "GRANT" not in states:
            raise sql_error(229, "EXECUTE", name, self._session.database, schema)

    def _allowed(self, permission: str, table: TableInfo) -> bool:
        roles = {"SELECT": "db_datareader"} if permission == "SELECT" else {permission: "db_datawriter"}
        denied = "db_denydatareader" if permission == "SELECT" else "db_denydatawriter"
        if self.is_role_member(denied):
            return False
        schema_id = self._session.catalog.schema_id(table.schema) or 0
        states = [
            self._granted(permission, kind, number)
            for kind, number in (("OBJECT", table.object_id), ("SCHEMA", schema_id), ("DATABASE", 0))
        ]
        if "DENY" in states:
            return False
        return (
            "GRANT" in states
            or bool(self.is_role_member("db_owner"))
            or bool(self.is_role_member(roles.get(permission, "db_owner")))
        )

    def _granted(self, permission: str, kind: str, number: int) -> str:
        marks = ", ".join(str(each) for each in self._principals())
        rows = self._session.connection.execute(
            "SELECT state FROM \"sys$permissions\" WHERE permission IN (?, 'CONTROL') AND class = ? AND major_id = ?"
            f" AND grantee IN ({marks})",
            (permission, kind, number),
        ).fetchall()
        states = {str(row[0]) for row in rows}
        return "DENY" if "DENY" in states else "GRANT" if "GRANT" in states else ""
