"""Who the session is in its database, and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession

#: How the names of the fixed roles that may, or may not, read or write all data end.
_DATA_ROLES: Final = {"SELECT": "reader", "INSERT": "writer", "UPDATE": "writer", "DELETE": "writer"}


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

    def has_permission(self, securable: str | None, kind: str | None, permission: str) -> bool | None:
        """Return what HAS_PERMS_BY_NAME does; None for a securable that does not exist."""
        parts = (securable or "").replace("[", "").replace("]", "").split(".")
        word, catalog = permission.upper(), self._session.catalog
        if (kind or "").upper() == "SCHEMA":
            found = catalog.schema_id(parts[-1])
            return None if found is None else self._on_schema(word, found)
        if (kind or "").upper() == "OBJECT":
            info = catalog.find(parts[-2] if len(parts) > 1 else "dbo", parts[-1])
            return None if info is None else self._on_object(word, info.object_id, info.schema_id)
        return self._on_database(word)

    @property
    def is_owner(self) -> bool:
        """Whether the user is an owner of the database."""
        return self.is_admin or bool(self.is_role_member("db_owner"))

    @property
    def is_chained(self) -> bool:
        """Whether a procedure's own statement runs: it reaches all objects, which have one owner here (dbo)."""
        return bool(self._session.frame.procedure)

    def owns(self, schema_id: int) -> bool:
        """Return whether the user made a schema, and with it owns what is in it."""
        row = self._session.connection.execute(
            'SELECT principal_id FROM "sys$schemas" WHERE schema_id = ?', (schema_id,)
        ).fetchone()
        return row is not None and row[0] == self.principal_id(self.user_name)

    def require(self, permission: str, table: TableInfo) -> None:
        """Check a right on a table.

        :raises SqlError: 229
        """
        if self.is_admin or self.is_chained or table.kind in ("S", "T"):
            return
        if not self._on_object(permission, table.object_id, self._session.catalog.schema_id(table.schema) or 0):
            raise sql_error(229, permission, table.name, self._session.database, table.schema)

    def require_ddl(self, permission: str, schema: str | None = None) -> None:
        """Check the right to change the schema.

        :param permission: ``CREATE TABLE`` and so on, or ``ALTER``.
        :param schema: the schema that the object is in, if it is in one.
        :raises SqlError: 262 without the right, 2760 in a schema that the user may not change
        """
        if self.is_owner or self.is_role_member("db_ddladmin"):
            return
        schema_id = None if schema is None else self._session.catalog.schema_id(schema)
        may_alter = schema_id is not None and self._on_schema("ALTER", schema_id)
        if permission == "ALTER" and may_alter:
            return
        if not self._on_database(permission):
            raise sql_error(262, permission, self._session.database)
        if schema_id is not None and not may_alter:
            raise sql_error(2760, schema)

    def require_execute(self, object_id: int, schema_id: int, schema: str, name: str) -> None:
        """Check the right to execute a procedure.

        :raises SqlError: 229
        """
        if self.is_admin or self.is_chained:
            return
        if not self._on_object("EXECUTE", object_id, schema_id):
            raise sql_error(229, "EXECUTE", name, self._session.database, schema)

    def _on_database(self, permission: str) -> bool:
        role = "db_securityadmin" if permission == "CREATE ROLE" else "db_ddladmin"
        by_role = permission.startswith("CREATE ") and bool(self.is_role_member(role))
        return self.is_owner or by_role or self._granted(permission, "DATABASE", 0) == "GRANT"

    def _on_schema(self, permission: str, schema_id: int) -> bool:
        by_role = self._by_role(permission) or (permission == "ALTER" and bool(self.is_role_member("db_ddladmin")))
        return (
            by_role
            or self.owns(schema_id)
            or self._on_database(permission)
            or self._granted(permission, "SCHEMA", schema_id) == "GRANT"
        )

    def _on_object(self, permission: str, object_id: int, schema_id: int) -> bool:
        if self.is_admin or self.owns(schema_id):
            return True
        places = (("OBJECT", object_id), ("SCHEMA", schema_id), ("DATABASE", 0))
        states = [self._granted(permission, kind, number) for kind, number in places]
        if "DENY" in states or self._by_role(permission, "db_denydata"):
            return False
        return "GRANT" in states or self.is_owner or self._by_role(permission)

    def _by_role(self, permission: str, prefix: str = "db_data") -> bool:
        word = _DATA_ROLES.get(permission)
        return word is not None and bool(self.is_role_member(prefix + word))

    def _granted(self, permission: str, kind: str, number: int) -> str:
        marks = ", ".join(str(each) for each in self._principals())
        rows = self._session.connection.execute(
            "SELECT state FROM \"sys$permissions\" WHERE permission IN (?, 'CONTROL') AND class = ? AND major_id = ?"
            f" AND grantee IN ({marks})",
            (permission, kind, number),
        ).fetchall()
        states = {str(row[0]) for row in rows}
        return "DENY" if "DENY" in states else "GRANT" if "GRANT" in states else ""
