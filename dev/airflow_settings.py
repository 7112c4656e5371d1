"""The settings of a local Airflow that answers fast and keeps everything in one folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

#: Seconds that writers of Airflow's SQLite database wait for each other: SQLite's own five are too few.
_PATIENCE_SECONDS = 60
#: The same for the API server. Airflow 3.3.2 records a user's request with a blocking commit on its event loop
#: (``log_action`` in ``api_fastapi/logging/decorators.py``), while a task's request that has begun to write needs the
#: loop to commit. Both stand still until the record gives up, and everybody who writes waits for them: with the
#: scheduler's own patience it ended then with "database is locked" (seen on busy machines).
_API_SERVER_PATIENCE_SECONDS = 5

# The caller's own Airflow, or a proxy for the outside world, must not reach a test.
FOREIGN_PREFIXES = ("AIRFLOW__", "AIRFLOW_", "_AIRFLOW_", "PYTEST_")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass(frozen=True)
class AirflowSettings:
    """Where one local Airflow lives, how to log in, and what its components are told.

    :param folder: its ``AIRFLOW_HOME``, absolute
    :param dags: the folder of its DAG files, absolute
    :param parallelism: tasks that run at once
    :param port: of the API server and UI on 127.0.0.1; a free one by default
    :param username: of the only user
    :param password: made up by default
    :param secret: signs tokens and encrypts connections; made up by default
    """

    folder: Path
    dags: Path
    parallelism: int = 8
    port: int = field(default_factory=free_port)
    username: str = "admin"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(9), repr=False)
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    @property
    def url(self) -> str:
        """The address of UI and REST API, without a slash at its end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        """The SQLite file that Airflow keeps its own state in."""
        return self.folder / "airflow.db"

    @property
    def passwords(self) -> Path:
        """The file that the simple auth manager reads the password from."""
        return self.folder / "passwords.json"

    def write_password(self) -> None:
        """Write the file of passwords, readable by its owner only."""
        self.passwords.touch(mode=0o600)
        self.passwords.write_text(json.dumps({self.username: self.password}) + "\n")

    def environment(self, extra: Mapping[str, str], command: str = "") -> dict[str, str]:
        """Return the whole environment of a component.

        :param extra: variables that go over all others, for example another ``AIRFLOW__...`` setting
        :param command: the component as ``airflow`` calls it, 'api-server' for example
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_PREFIXES)}
        options = {f"AIRFLOW__{name}": value for name, value in {**self._where(command), **self._how_fast()}.items()}
        local = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        quiet = {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
        return {**kept, **local, **quiet, "AIRFLOW_HOME": str(self.folder), **options, **extra}

    def _where(self, command: str) -> dict[str, str]:
        patience = _API_SERVER_PATIENCE_SECONDS if command == "api-server" else _PATIENCE_SECONDS
        signing = base64.urlsafe_b64encode(self.secret).decode()
        return {
            "API__BASE_URL": self.url,
            "API__HOST": "127.0.0.1",
            "API__PORT": str(self.port),
            "API__SECRET_KEY": signing,
            "API_AUTH__JWT_SECRET": signing,
            "CORE__AUTH_MANAGER": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "CORE__DAGS_FOLDER": str(self.dags),
            "CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "CORE__FERNET_KEY": signing,
            "CORE__PLUGINS_FOLDER": str(self.folder / "plugins"),
            "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.passwords),
            "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{self.username}:admin",
            "DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(self.folder / "bundles"),
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.database}?timeout={patience}",
            "LOGGING__BASE_LOG_FOLDER": str(self.folder / "logs"),
            "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(self.folder / "logs" / "dag_processor"),
        }

    def _how_fast(self) -> dict[str, str]:
        return {
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__HOSTNAME_CALLABLE": "socket.gethostname",
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__MIN_SERIALIZED_DAG_FETCH_INTERVAL": "1",
            "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
            "CORE__MP_START_METHOD": "fork",
            "CORE__PARALLELISM": str(self.parallelism),
            "CORE__MAX_ACTIVE_TASKS_PER_DAG": str(self.parallelism),
            "CORE__TEST_CONNECTION": "Enabled",
            "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
            "DAG_PROCESSOR__PARSING_PROCESSES": "1",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
            "LOGGING__COLORED_CONSOLE_LOG": "False",
            "SCHEDULER__JOB_HEARTBEAT_SEC": "1",
            "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
            "TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
            # On a busy machine a task waits for the API server, instead of failing after five seconds
            "WORKERS__EXECUTION_API_TIMEOUT": "60",
            "WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
            "WORKERS__MISSING_DAG_RETRY_DELAY": "3",
        }
