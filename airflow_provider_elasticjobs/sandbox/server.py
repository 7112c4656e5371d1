"""The sandbox: one or more logical servers in one process, each listening on its own port of 127.0.0.1."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import tempfile
import threading
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from airflow_provider_elasticjobs.sandbox.access_tokens import AccessTokens
from airflow_provider_elasticjobs.sandbox.activity import Activity
from airflow_provider_elasticjobs.sandbox.certificate import CertificateFiles, server_context, write_certificates
from airflow_provider_elasticjobs.sandbox.control import Control
from airflow_provider_elasticjobs.sandbox.engine.interface import Session
from airflow_provider_elasticjobs.sandbox.faults import FaultBoard
from airflow_provider_elasticjobs.sandbox.settings import SandboxSettings, ServerSettings
from airflow_provider_elasticjobs.sandbox.wire.connection import Connection, Service
from airflow_provider_elasticjobs.sandbox.wire.login import LoginRequest
from airflow_provider_elasticjobs.sandbox.wire.transport import Transport

ADDRESS = "127.0.0.1"
BACKLOG = 1024
MOST_WORKERS = 2048
STOP_SECONDS = 10.0


class PortInUseError(Exception):
    """A port that the settings ask for cannot be listened on; the text names server and port."""


class Engine(Protocol):
    """What a logical server needs of the engine behind it."""

    def create_database(self, name: str, *, elastic_pool: str | None = None, state: str = "ONLINE") -> None:
        """Make a user database."""

    def check_password(self, login: str, password: str) -> None:
        """Check a login's password; raises LoginRefused."""

    def has_login(self, name: str) -> bool:
        """Whether a login of this name exists."""

    def open_session(
        self, *, login: str, database: str | None, application_name: str, host_name: str, is_admin: bool | None = None
    ) -> Session:
        """Open a session; raises LoginRefused."""

    def close(self) -> None:
        """Close every session."""


MakeEngine = Callable[[ServerSettings, Path], Engine]


def make_engine(settings: ServerSettings, folder: Path) -> Engine:
    """The engine of the sandbox.

    :param settings: the logical server's settings
    :param folder: where its databases lie
    """
    # Imported late: the wire layer is tested without it.
    from airflow_provider_elasticjobs.sandbox.engine.server import LogicalServer  # noqa: PLC0415

    return LogicalServer(settings.name, folder, logins=settings.logins)


class SandboxServer:
    """One logical server: the engine behind it, who may log in, what happened on it.

    :param settings: its settings
    :param folder: where its databases lie, made if missing
    :param engine: makes its engine
    """

    def __init__(self, settings: ServerSettings, folder: Path, engine: MakeEngine = make_engine) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = settings.name
        self.port = settings.port
        self.tokens = AccessTokens(settings.tokens)
        self.activity = Activity()
        self._engine = engine(settings, folder)
        for database in settings.databases:
            self.create_database(database.name, elastic_pool=database.elastic_pool, state=database.state)

    def create_database(self, name: str, *, elastic_pool: str | None = None, state: str = "ONLINE") -> None:
        """Make a user database.

        :param name: its name
        :param elastic_pool: the elastic pool it belongs to
        :param state: ``state_desc`` of ``sys.databases``
        """
        self._engine.create_database(name, elastic_pool=elastic_pool, state=state)

    def open_session(self, request: LoginRequest, user: str) -> Session:
        """Open the engine's session for a login that was admitted.

        The user of an access token has the rights of the login of that name, or, without one, all rights.

        :raises LoginRefused: when its database does not exist or is not online
        """
        return self._engine.open_session(
            login=user,
            database=request.database,
            application_name=request.application_name,
            host_name=request.host_name,
            is_admin=True if request.token is not None and not self._engine.has_login(user) else None,
        )

    def check_password(self, login: str, password: str) -> None:
        """Check a login's password.

        :raises LoginRefused: when it is wrong
        """
        self._engine.check_password(login, password)

    def close(self) -> None:
        """Close the engine's sessions."""
        self._engine.close()


@dataclass(frozen=True)
class _Contexts:
    usual: ssl.SSLContext
    strict: ssl.SSLContext


class Sandbox:
    """A running sandbox; also a context manager.

    The loop runs in a thread of its own, the engine in worker threads made as they are needed.

    :param settings: its logical servers
    :param folder: where to keep databases and certificates; None makes a temporary folder that :meth:`stop` removes
    :param engine: makes the engine of each logical server
    """

    def __init__(
        self, settings: SandboxSettings, *, folder: Path | None = None, engine: MakeEngine = make_engine
    ) -> None:
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="elasticjobs-sandbox-"))
        self.faults = FaultBoard()
        self.servers: dict[str, SandboxServer] = {}
        self._settings = settings
        self._make_engine = engine
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._workers = futures.ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="sandbox-engine")
        self._listeners: list[asyncio.Server] = []
        self._connections: set[asyncio.Task[None]] = set()
        self.certificates: CertificateFiles | None = None

    def start(self) -> Sandbox:
        """Make the databases and the certificates, and listen.

        :returns: itself
        :raises PortInUseError: when a port cannot be listened on; nothing is left behind
        """
        self._thread.start()
        try:
            self._prepare()
        except BaseException:
            self.stop()
            raise
        return self

    def _prepare(self) -> None:
        names = [server.name for server in self._settings.servers]
        self.certificates = write_certificates(self.folder, names)
        contexts = _Contexts(
            server_context(self.certificates, strict=False), server_context(self.certificates, strict=True)
        )
        for number, settings in enumerate(self._settings.servers):
            self.servers[settings.name.casefold()] = SandboxServer(
                settings, self.folder / f"server{number}", self._make_engine
            )
        control = Control(self.servers, self.faults)
        for server in self.servers.values():
            listening = self._listen(server, self._service(server, control, contexts))
            asyncio.run_coroutine_threadsafe(listening, self._loop).result()

    def _service(self, server: SandboxServer, control: Control, contexts: _Contexts) -> Service:
        return Service(
            server.name,
            server.open_session,
            server.check_password,
            server.tokens,
            server.activity,
            self.faults,
            control,
            contexts.usual,
            contexts.strict,
            self._workers,
        )

    async def _listen(self, server: SandboxServer, service: Service) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is not None:
                self._connections.add(task)
                task.add_done_callback(self._connections.discard)
            with suppress(asyncio.CancelledError):
                await Connection(service, Transport(reader, writer)).serve()

        try:
            listener = await asyncio.start_server(serve, ADDRESS, server.port, backlog=BACKLOG)
        except OSError as problem:
            reason = os.strerror(problem.errno or 0)
            raise PortInUseError(f"{server.name} cannot listen on {ADDRESS}, port {server.port}: {reason}") from None
        server.port = int(listener.sockets[0].getsockname()[1])
        self._listeners.append(listener)

    def server(self, name: str) -> SandboxServer:
        """A logical server by name, whatever the letter case.

        :raises KeyError: for an unknown name
        """
        return self.servers[name.casefold()]

    def describe(self) -> dict[str, object]:
        """What a client needs to know, as plain JSON: address, ports by server name, the authority's certificate."""
        return {
            "address": ADDRESS,
            "servers": {server.name: server.port for server in self.servers.values()},
            "certificate": str(self.certificates.authority) if self.certificates else None,
            "folder": str(self.folder),
        }

    def stop(self) -> None:
        """Close every connection, stop what runs, remove the temporary folder. May be called twice."""
        if self._thread.is_alive():
            with suppress(futures.TimeoutError):
                asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result(STOP_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(STOP_SECONDS)
        if not self._loop.is_running():
            self._loop.close()
        self._workers.shutdown(wait=False, cancel_futures=True)
        for server in self.servers.values():
            server.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def _shut_down(self) -> None:
        for listener in self._listeners:
            listener.close()
        for task in list(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=STOP_SECONDS / 2)

    def __enter__(self) -> Sandbox:  # noqa: PYI034 - Self is not in Python 3.10
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()
