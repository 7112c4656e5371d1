"""What a sandbox is made of: logical servers, their logins, tokens and databases; and its JSON form.

.. code-block:: json

    {"servers": [{"name": "tenants.database.windows.net", "port": 0,
                  "logins": {"jobs": "a password"}, "tokens": {"a token": "a user"},
                  "databases": [{"name": "tenant1", "elastic_pool": "pool1", "state": "ONLINE"}]}]}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class SettingsError(ValueError):
    """The settings of a sandbox are wrong; the text says where."""


@dataclass(frozen=True)
class DatabaseSettings:
    """One user database.

    :param name: database name
    :param elastic_pool: elastic pool it belongs to, None for none
    :param state: ``state_desc`` of ``sys.databases``
    """

    name: str
    elastic_pool: str | None = None
    state: str = "ONLINE"


@dataclass(frozen=True)
class ServerSettings:
    """One logical server; ``master`` comes by itself.

    :param name: logical server name, such as ``tenants.database.windows.net``
    :param port: TCP port on 127.0.0.1; 0 lets the system choose
    :param logins: passwords by login name
    :param tokens: users by access token
    :param databases: its user databases
    """

    name: str
    port: int = 0
    logins: Mapping[str, str] = field(default_factory=dict, repr=False)
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    databases: tuple[DatabaseSettings, ...] = ()


@dataclass(frozen=True)
class SandboxSettings:
    """A whole sandbox.

    :param servers: its logical servers, at least one, with different names
    """

    servers: tuple[ServerSettings, ...]

    def __post_init__(self) -> None:
        """Check what the servers have in common.

        :raises SettingsError: without a server, or with a name or a port given twice
        """
        if not self.servers:
            raise SettingsError("a sandbox needs at least one server")
        _refuse_repeated("server name", [server.name.casefold() for server in self.servers])
        _refuse_repeated("port", [str(server.port) for server in self.servers if server.port])

    def to_json(self) -> dict[str, object]:
        """The plain JSON form, passwords and tokens included."""
        return {"servers": [_server_to_json(server) for server in self.servers]}

    @classmethod
    def from_json(cls, data: object) -> SandboxSettings:
        """Read the plain JSON form.

        :raises SettingsError: for what is missing, unknown or of the wrong kind
        """
        fields = _fields(data, "the settings", {"servers"})
        return cls(tuple(_server_from_json(server) for server in _list(fields.get("servers"), "servers")))

    @classmethod
    def read(cls, path: Path) -> SandboxSettings:
        """Read a JSON file.

        :raises SettingsError: when it cannot be read
        """
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError) as problem:
            raise SettingsError(f"{path}: {problem}") from problem


def _refuse_repeated(what: str, values: list[str]) -> None:
    repeated = sorted({value for value in values if values.count(value) > 1})
    if repeated:
        raise SettingsError(f"{what} given twice: {', '.join(repeated)}")


def _server_to_json(server: ServerSettings) -> dict[str, object]:
    databases = [vars(database) for database in server.databases]
    return {**vars(server), "logins": dict(server.logins), "tokens": dict(server.tokens), "databases": databases}


def _fields(data: object, where: str, allowed: set[str]) -> dict[str, object]:
    if not isinstance(data, dict):
        raise SettingsError(f"{where} must be an object")
    unknown = sorted(set(data) - allowed)
    if unknown:
        raise SettingsError(f"{where}: unknown field {', '.join(unknown)}")
    return data


def _list(data: object, where: str) -> list[object]:
    if not isinstance(data, list):
        raise SettingsError(f"{where} must be a list")
    return data


def _text(fields: Mapping[str, object], name: str, where: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where}: {name} must be a text")
    return value


def _texts(data: object, where: str) -> dict[str, str]:
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise SettingsError(f"{where} must be an object of texts")
    return data


def _server_from_json(data: object) -> ServerSettings:
    fields = _fields(data, "a server", {"name", "port", "logins", "tokens", "databases"})
    name = _text(fields, "name", "a server")
    port = fields.get("port", 0)
    if not isinstance(port, int) or not 0 <= port <= 65_535:
        raise SettingsError(f"{name}: port must be a number from 0 to 65535")
    return ServerSettings(
        name,
        port,
        _texts(fields.get("logins", {}), f"{name}: logins"),
        _texts(fields.get("tokens", {}), f"{name}: tokens"),
        tuple(_database_from_json(one, name) for one in _list(fields.get("databases", []), f"{name}: databases")),
    )


def _database_from_json(data: object, server: str) -> DatabaseSettings:
    where = f"{server}: a database"
    fields = _fields(data, where, {"name", "elastic_pool", "state"})
    pool = fields.get("elastic_pool")
    return DatabaseSettings(
        _text(fields, "name", where),
        None if pool is None else _text(fields, "elastic_pool", where),
        _text({"state": "ONLINE", **fields}, "state", where),
    )
