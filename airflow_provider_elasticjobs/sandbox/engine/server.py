"""A logical server: databases, logins, application locks, sessions."""

from __future__ import annotations

import datetime as dt
import hmac
import itertools
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.errors import sql_error
from airflow_provider_elasticjobs.sandbox.engine.interface import LoginRefused, ServerMessage
from airflow_provider_elasticjobs.sandbox.engine.locks import ApplicationLocks
from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession
from airflow_provider_elasticjobs.sandbox.engine.storage import Cache, DatabaseFile

_FIRST_SESSION: Final = 51
_SESSIONS: Final = 32767


class ServerDatabase(DatabaseFile):
    """A database with the time of its creation."""

    created: str = ""


class _Login:
    def __init__(self, password: str, *, is_admin: bool, database: str | None) -> None:
        self.password = password
        self.is_admin = is_admin
        self.database = database


class LogicalServer:
    """One logical server with its databases.

    :param name: what ``@@SERVERNAME`` answers
    :param folder: where the databases' files go; must exist
    :param logins: name to password; these are administrators
    """

    def __init__(self, name: str, folder: Path, *, logins: Mapping[str, str] | None = None) -> None:
        self.name = name
        self.locks = ApplicationLocks()
        self.batches = Cache(2048)
        self._folder = folder
        self._guard = threading.RLock()
        self._logins = {
            login.lower(): _Login(word, is_admin=True, database=None) for login, word in (logins or {}).items()
        }
        self._databases: dict[str, ServerDatabase] = {}
        self._sessions: dict[int, EngineSession] = {}
        self._session_ids = itertools.count(0)
        self._database_ids = itertools.count(5)
        self._add_database("master", 1, None, "ONLINE")

    def __repr__(self) -> str:
        return f"LogicalServer({self.name!r})"

    def _add_database(self, name: str, number: int, pool: str | None, state: str) -> None:
        path = self._folder / f"database{number}.sqlite"
        database = ServerDatabase(name, number, path, elastic_pool=pool, state=state)
        database.created = dt.datetime.now(dt.timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "0000"
        self._databases[name.lower()] = database

    def create_database(self, name: str, *, elastic_pool: str | None = None, state: str = "ONLINE") -> None:
        """Create a database.

        :param elastic_pool: the pool it is in
        :param state: ``state_desc``
        :raises SqlError: 1801 when the name is taken
        """
        with self._guard:
            if name.lower() in self._databases:
                raise sql_error(1801, name)
            self._add_database(name, next(self._database_ids), elastic_pool, state)

    def drop_database(self, name: str) -> None:
        """Drop a database.

        :raises SqlError: 3701 when there is none, 3702 while it is in use
        """
        with self._guard:
            found = self._databases.get(name.lower())
            if found is None or found.name == "master":
                raise sql_error(3701, "database", name)
            if any(session.database_file is found for session in self._sessions.values()):
                raise sql_error(3702, name)
            del self._databases[name.lower()]
        found.delete_files()

    def set_database_state(self, name: str, state: str) -> None:
        """Set ``state_desc`` of a database (ONLINE, RESTORING, OFFLINE, ...)."""
        with self._guard:
            self._databases[name.lower()].state = state

    def databases(self) -> list[ServerDatabase]:
        """Return the databases by number, ``master`` first."""
        with self._guard:
            return sorted(self._databases.values(), key=lambda each: each.database_id)

    def find_database(self, name: str) -> ServerDatabase | None:
        """Return a database by name, in any case."""
        with self._guard:
            return self._databases.get(name.lower())

    def add_login(self, name: str, password: str, *, is_admin: bool = False, database: str | None = None) -> None:
        """Add a login or change its password.

        :param database: for a contained user, the only database it may use
        """
        with self._guard:
            self._logins[name.lower()] = _Login(password, is_admin=is_admin, database=database)

    def remove_login(self, name: str) -> None:
        """Remove a login."""
        with self._guard:
            self._logins.pop(name.lower(), None)

    def has_login(self, name: str) -> bool:
        """Return whether a login exists."""
        with self._guard:
            return name.lower() in self._logins

    def login_names(self) -> list[str]:
        """Return the logins' names."""
        with self._guard:
            return sorted(self._logins)

    def check_password(self, login: str, password: str) -> None:
        """Check a password.

        :raises LoginRefused: 18456
        """
        with self._guard:
            found = self._logins.get(login.lower())
        if found is None or not hmac.compare_digest(found.password.encode(), password.encode()):
            raise _refused(login)

    def sessions(self) -> list[EngineSession]:
        """Return the open sessions."""
        with self._guard:
            return list(self._sessions.values())

    def forget(self, session: EngineSession) -> None:
        """Take a session that ends off the list."""
        with self._guard:
            self._sessions.pop(session.session_id, None)

    def open_session(
        self, *, login: str, database: str | None, application_name: str, host_name: str, is_admin: bool | None = None
    ) -> EngineSession:
        """Open a session for a login that was authenticated.

        :param database: None for ``master``
        :param is_admin: for identities without a login here (access tokens); None takes the login's rights
        :raises LoginRefused: 4060 when the database is missing, not online, or not the login's
        """
        with self._guard:
            known = self._logins.get(login.lower())
            admin = is_admin if is_admin is not None else bool(known and known.is_admin)
            found = self.find_database(database or "master")
            if found is None or found.state != "ONLINE" or not self._may_enter(found, login, known, admin):
                raise LoginRefused(sql_error(4060, database or "master").as_message())
            session_id = self._next_session_id()
            session = EngineSession(
                self,
                found,
                session_id,
                login=login,
                is_admin=admin,
                application_name=application_name,
                host_name=host_name,
            )
            self._sessions[session_id] = session
            return session

    def _next_session_id(self) -> int:
        while True:
            candidate = _FIRST_SESSION + next(self._session_ids) % (_SESSIONS - _FIRST_SESSION)
            if candidate not in self._sessions:
                return candidate

    def _may_enter(self, database: ServerDatabase, login: str, known: _Login | None, admin: bool) -> bool:
        if admin:
            return True
        if known is not None and known.database is not None and known.database.lower() != database.name.lower():
            return False
        if database.name == "master":
            return True
        connection = database.connect()
        try:
            return connection.execute('SELECT 1 FROM "sys$principals" WHERE login = ?', (login,)).fetchone() is not None
        finally:
            connection.close()

    def close(self) -> None:
        """Close every session."""
        for session in self.sessions():
            session.cancel()
            session.close()


def _refused(login: str) -> LoginRefused:
    return LoginRefused(ServerMessage(18456, 14, 1, f"Login failed for user '{login}'."))
