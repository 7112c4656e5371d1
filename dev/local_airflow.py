"""A real Airflow on this machine: scheduler, DAG processor, triggerer and API server on SQLite, in one folder."""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from dev.airflow_client import AirflowClient, every
from dev.airflow_settings import AirflowSettings, free_port
from dev.processes import GuardedProcess, ProcessError, run_guarded

if TYPE_CHECKING:
    from typing_extensions import Self

COMPONENTS: Mapping[str, tuple[str, ...]] = {
    "api-server": ("api-server",),
    "scheduler": ("scheduler", "--skip-serve-logs"),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
}
#: How often a start is made with another port, when somebody has taken the one that was free a moment ago.
_OTHER_PORTS = 3
_PORT_TAKEN = "address already in use"

HEALTH_NAMES: Mapping[str, str] = {
    "metadatabase": "api-server",
    "scheduler": "scheduler",
    "dag_processor": "dag-processor",
    "triggerer": "triggerer",
}


class LocalAirflow(AirflowClient):
    """Starts, serves and ends one Airflow; a context manager, and a client of its REST API.

    Nothing of it outlives the process that started it, however that one ends.

    :param folder: its own; created, and kept when it stops
    :param dags: the folder with DAG files
    :param components: name and ``airflow`` arguments of each process, for example a second triggerer's
    :param environment: variables for every component, for example ``AIRFLOW__...`` settings or ``PYTHONPATH``
    :param parallelism: tasks that run at once
    :param port: of UI and API; a free one by default
    :param start_timeout: seconds until everything has to be healthy
    :param database_cache: folder that keeps an empty Airflow database for the next start, which then saves its creation
    :param lock: folder on which each component holds a shared lock
    :param progress: told in words what is being done
    """

    def __init__(
        self,
        folder: Path,
        dags: Path,
        *,
        components: Mapping[str, Sequence[str]] = COMPONENTS,
        environment: Mapping[str, str] | None = None,
        parallelism: int = 8,
        port: int | None = None,
        start_timeout: float = 150,
        database_cache: Path | None = None,
        lock: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        settings = AirflowSettings(folder.resolve(), dags.resolve(), parallelism, port or free_port())
        super().__init__(settings.url, settings.username, settings.password)
        self._port_is_chosen = port is not None
        self._commands = components
        self._extra_environment = dict(environment or {})
        self._start_timeout = start_timeout
        self._database_cache = database_cache
        self._lock = lock
        self._progress = progress
        self._set_up(settings)

    def _set_up(self, settings: AirflowSettings) -> None:
        self.settings = settings
        self.url = settings.url
        self.environment = settings.environment(self._extra_environment)
        self._components = {
            name: GuardedProcess(
                name,
                [sys.executable, "-m", "airflow", *arguments],
                environment=settings.environment(self._extra_environment, arguments[0]),
                log=settings.folder / "logs" / f"{name}.log",
                folder=settings.folder,
                lock=self._lock,
            )
            for name, arguments in self._commands.items()
        }

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.stop()

    @property
    def folder(self) -> Path:
        """Its ``AIRFLOW_HOME``."""
        return self.settings.folder

    def start(self) -> None:
        """Create the database, start every component, and return when all are healthy.

        A port that was free when it was chosen, and is taken when the API server wants it, is replaced by another one,
        unless the caller asked for it.

        :raises ProcessError: something ended early or took too long; carries the end of its output
        """
        for name in ("logs", "plugins"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.settings.write_password()
        self._create_database()
        self._start_on_a_port(0 if self._port_is_chosen else _OTHER_PORTS)

    def _start_on_a_port(self, others: int) -> None:
        try:
            self._start_components()
        except ProcessError:
            if not others or _PORT_TAKEN not in self._components["api-server"].log_tail():
                raise
            self._set_up(replace(self.settings, port=free_port()))
            self._start_on_a_port(others - 1)

    def _start_components(self) -> None:
        try:
            self._progress("starting Airflow's scheduler, DAG processor, triggerer and API server")
            for component in self._components.values():
                component.start()
            self.wait_until_healthy(self._start_timeout)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every component with all that they started; returns when nothing of it runs."""
        with ThreadPoolExecutor(len(self._components)) as threads:
            list(threads.map(GuardedProcess.stop, self._components.values()))

    def component(self, name: str) -> GuardedProcess:
        """Return one component's process, to look at it or to harm it.

        :param name: 'scheduler', 'triggerer', 'dag-processor', 'api-server', or another of ``components``
        """
        return self._components[name]

    def restart(self, name: str, timeout: float = 60) -> None:
        """Stop a component the polite way, with all it started, start it again and wait until it is healthy.

        :param name: as in :meth:`component`
        :param timeout: seconds
        """
        self._components[name].stop()
        self.start_component(name, timeout)

    def start_component(self, name: str, timeout: float = 60) -> None:
        """Start a component that has ended, and wait until it has begun its work.

        :param name: as in :meth:`component`
        :param timeout: seconds
        :raises ProcessError: it ended or took too long
        """
        before = self._job_ids()
        self._components[name].start()
        for _ in every(0.2, timeout):
            self._refuse_ended([name])
            if self.health() if name == "api-server" else self._job_ids() - before:
                return
        raise ProcessError(f"{name} did not start within {timeout:g} s\n{self._components[name].log_tail()}")

    def wait_until_healthy(self, timeout: float) -> None:
        """Wait until the API server calls every component healthy.

        :param timeout: seconds
        :raises ProcessError: one has ended, or is not healthy in time; carries the end of its output
        """
        health: dict[str, str] = {}
        for _ in every(0.2, timeout):
            self._refuse_ended(self._components)
            health = self.health()
            if health and all(health.get(name) == "healthy" for name in HEALTH_NAMES):
                return
        ill = [component for name, component in HEALTH_NAMES.items() if health.get(name) != "healthy"]
        tails = "\n".join(self._components[name].log_tail() for name in ill)
        raise ProcessError(f"Airflow was not healthy within {timeout:g} s: {', '.join(ill)}\n{tails}")

    def cli(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run ``airflow ARGUMENTS`` and return exit code and output (both streams together).

        :param arguments: of the command
        :param timeout: seconds
        :raises ProcessError: it takes longer
        """
        command = [sys.executable, "-m", "airflow", *arguments]
        return run_guarded(
            "airflow", command, environment=self.environment, folder=self.settings.folder, timeout=timeout
        )

    def _refuse_ended(self, names: Iterable[str]) -> None:
        for name in names:
            code = self._components[name].poll()
            if code is not None:
                tail = self._components[name].log_tail()
                raise ProcessError(f"Airflow's {name} ended with exit code {code}\n{tail}")

    def _job_ids(self) -> set[int]:
        connection = sqlite3.connect(f"{self.settings.database.as_uri()}?mode=ro", uri=True, timeout=30)
        try:
            return {row[0] for row in connection.execute("SELECT id FROM job")}
        finally:
            connection.close()

    def _create_database(self) -> None:
        """Copy the empty database that an earlier start kept, or let Airflow make one and keep it."""
        if self.settings.database.exists():
            return
        if self._database_cache is None:
            self._migrate()
            return
        self._database_cache.mkdir(parents=True, exist_ok=True)
        kept = self._database_cache / f"airflow-{version('apache-airflow-core')}.db"
        with (self._database_cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                self._migrate()
                partial = kept.with_suffix(".partial")
                shutil.copyfile(self.settings.database, partial)
                partial.rename(kept)
                return
        shutil.copyfile(kept, self.settings.database)

    def _migrate(self) -> None:
        self._progress("creating Airflow's own database (SQLite)")
        result = self.cli("db", "migrate", timeout=self._start_timeout)
        if result.returncode != 0:
            raise ProcessError(f"airflow db migrate failed\n{result.stdout[-3000:]}")
        with sqlite3.connect(self.settings.database) as connection:
            # Readers do not stop writers: five processes share this file
            connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
