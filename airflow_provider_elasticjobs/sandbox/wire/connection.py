"""One client connection: its login, then its requests in turn, each interruptible by an attention."""

from __future__ import annotations

import asyncio
import functools
import logging
import ssl
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from pysqlbridge.tds.batch import parse_sql_batch
from pysqlbridge.tds.packet import PacketStatus, PacketType, TdsProtocolError
from pysqlbridge.tds.tls import TlsError
from pysqlbridge.tds.transaction import parse_transaction_request

from airflow_provider_elasticjobs.sandbox.access_tokens import AccessTokens
from airflow_provider_elasticjobs.sandbox.activity import Activity
from airflow_provider_elasticjobs.sandbox.control import Control
from airflow_provider_elasticjobs.sandbox.engine.interface import Cancelled, LoginRefused, ServerMessage, Session
from airflow_provider_elasticjobs.sandbox.faults import CONTROL_APPLICATION, Fault, FaultBoard, FaultKind
from airflow_provider_elasticjobs.sandbox.wire import tokens
from airflow_provider_elasticjobs.sandbox.wire.conversation import Conversation, DroppedError, Place
from airflow_provider_elasticjobs.sandbox.wire.decoding import UnsupportedTypeError
from airflow_provider_elasticjobs.sandbox.wire.handshake import login_accepted, login_refused, read_login
from airflow_provider_elasticjobs.sandbox.wire.login import LoginRequest
from airflow_provider_elasticjobs.sandbox.wire.response import Response
from airflow_provider_elasticjobs.sandbox.wire.rpc import parse_calls
from airflow_provider_elasticjobs.sandbox.wire.tokens import DoneFlag, DoneKind
from airflow_provider_elasticjobs.sandbox.wire.transport import Message, Transport

logger = logging.getLogger(__name__)

REPEAT_CANCEL_SECONDS = 0.1
UNREADABLE_REQUEST = 8016
UNNAMED = "<token-identified principal>"
RESET_BITS = PacketStatus.RESET_CONNECTION | PacketStatus.RESET_CONNECTION_SKIP_TRAN
REQUEST_TYPES = frozenset({PacketType.SQL_BATCH, PacketType.RPC, PacketType.TRANSACTION_MANAGER})

OpenSession = Callable[[LoginRequest, str], Session]
CheckPassword = Callable[[str, str], None]
Work = Callable[[Response], None]
Result = TypeVar("Result")


class Interruption(Enum):
    """What ended a request before its time."""

    ATTENTION = "attention"
    GONE = "gone"


@dataclass(frozen=True)
class Service:
    """What the connections of one logical server share.

    :param name: name of the logical server
    :param open_session: opens the engine's session for a login request and the user it proved to be
    :param check_password: checks a login's password, raises LoginRefused
    :param tokens: access tokens that are accepted
    :param activity: counters
    :param faults: faults of the sandbox
    :param control: procedures of schema ``sandbox``
    :param tls: context of the handshake inside PRELOGIN
    :param strict_tls: context of the handshake before it
    :param workers: threads that the engine runs on
    """

    name: str
    open_session: OpenSession
    check_password: CheckPassword
    tokens: AccessTokens
    activity: Activity
    faults: FaultBoard
    control: Control
    tls: ssl.SSLContext
    strict_tls: ssl.SSLContext
    workers: Executor


class Connection:
    """Serves one client until it leaves.

    :param service: the logical server
    :param transport: the client
    """

    def __init__(self, service: Service, transport: Transport) -> None:
        self._service = service
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.Task[Message | None] | None = None

    async def serve(self) -> None:
        """Log the client in and answer its requests; never raises for what the client does."""
        try:
            request = await read_login(self._transport, self._service.tls, self._service.strict_tls)
            if request is not None:
                await self._log_in(request)
        except (TdsProtocolError, TlsError) as problem:
            logger.info("A connection to %s ends: %s", self._service.name, problem)
        except (ConnectionError, EOFError):
            logger.debug("A client of %s left", self._service.name)
        except Exception:
            logger.exception("The sandbox failed on a connection to %s", self._service.name)
        finally:
            if self._next is not None:
                self._next.cancel()
            self._transport.close()

    # Login.

    async def _log_in(self, request: LoginRequest) -> None:
        try:
            user = await self._admitted(request)
            session = await self._in_worker(functools.partial(self._service.open_session, request, user))
        except LoginRefused as refused:
            self._service.activity.login_refused()
            await self._transport.send(login_refused(refused.message, self._service.name), final=True)
            return
        except DroppedError:
            return
        self._count(request, 1)
        try:
            await self._converse(request, user, session)
        finally:
            self._count(request, -1)
            await asyncio.shield(self._in_worker(session.close))

    def _count(self, request: LoginRequest, change: int) -> None:
        if request.application_name == CONTROL_APPLICATION:
            return
        activity = self._service.activity
        activity.login_succeeded() if change > 0 else activity.session_closed()

    async def _admitted(self, request: LoginRequest) -> str:
        await self._strike_login(request)
        if request.token is None and not request.integrated:
            self._service.check_password(request.user, request.password)
            return request.user
        user = None if request.token is None else self._service.tokens.user(request.token)
        if user is None:
            raise LoginRefused(ServerMessage(18456, 14, 1, f"Login failed for user '{UNNAMED}'."))
        return user

    async def _strike_login(self, request: LoginRequest) -> None:
        if request.application_name == CONTROL_APPLICATION:
            return
        for fault in self._service.faults.strike_login(self._service.name, request.database):
            if fault.kind is FaultKind.SLOW_LOGIN:
                await asyncio.sleep(fault.seconds)
            elif fault.kind is FaultKind.LOGIN_DROPPED:
                raise DroppedError
            else:
                raise LoginRefused(self._login_message(fault, request))

    def _login_message(self, fault: Fault, request: LoginRequest) -> ServerMessage:
        database = request.database or "master"
        return fault.message(server=self._service.name, database=database, user=request.user, session_id=0)

    # Requests.

    async def _converse(self, request: LoginRequest, user: str, session: Session) -> None:
        place = Place(
            self._service.name,
            user,
            request.application_name,
            self._service.faults,
            self._service.activity,
            self._service.control,
        )
        conversation = Conversation(session, place)
        self._transport.session_id = session.session_id
        await self._transport.send(login_accepted(request, self._service.name, session.database), final=True)
        self._transport.packet_size = request.packet_size
        while (message := await self._read()) is not None:
            if not await self._answer(message, conversation, session):
                break

    async def _read(self) -> Message | None:
        reading, self._next = self._reading(), None
        return await reading

    def _reading(self) -> asyncio.Task[Message | None]:
        if self._next is None:
            self._next = asyncio.ensure_future(self._transport.read_message())
        return self._next

    async def _answer(self, message: Message, conversation: Conversation, session: Session) -> bool:
        if message.type is PacketType.ATTENTION or message.status & PacketStatus.IGNORE:
            await self._transport.send(tokens.done(DoneKind.DONE, DoneFlag.ATTENTION), final=True)
            return True
        if message.type not in REQUEST_TYPES:
            raise TdsProtocolError(f"the sandbox takes no {message.type.name} message")
        response = Response(self._service.name, self._flush)
        try:
            work = _work(message, conversation)
        except UnsupportedTypeError as problem:
            response.error(ServerMessage(UNREADABLE_REQUEST, 16, 1, str(problem)))
            await self._transport.send(response.finish(), final=True)
            return True
        return await self._carry_out(work, response, session)

    async def _carry_out(self, work: Work, response: Response, session: Session) -> bool:
        execution = asyncio.ensure_future(self._in_worker(functools.partial(work, response)))
        try:
            interruption = await self._watch(execution, response, session)
        except asyncio.CancelledError:
            await self._stop(execution, response, session)
            raise
        problem = execution.exception()
        if problem is not None and not isinstance(problem, (Cancelled, DroppedError)):
            raise problem
        if response.dropped or isinstance(problem, DroppedError) or interruption is Interruption.GONE:
            return False
        stopped = interruption is Interruption.ATTENTION
        await self._transport.send(response.finish_cancelled() if stopped else response.finish(), final=True)
        return not response.closes

    async def _watch(
        self, execution: asyncio.Future[None], response: Response, session: Session
    ) -> Interruption | None:
        """Wait until the execution has ended, and end it when an attention comes or the client leaves."""
        waited: set[asyncio.Future[Any]] = {execution, self._reading()}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not self._reading().done():
            return None
        message = _result(self._reading())
        if message is not None and message.type is not PacketType.ATTENTION:
            await asyncio.wait({execution})
            return None
        await self._stop(execution, response, session)
        if message is None:
            return Interruption.GONE
        self._next = None
        return Interruption.ATTENTION

    @staticmethod
    async def _stop(execution: asyncio.Future[None], response: Response, session: Session) -> None:
        response.cancel()
        while not execution.done():
            # Repeated: a cancel that comes before the engine has begun finds nothing to stop.
            session.cancel()
            await asyncio.wait({execution}, timeout=REPEAT_CANCEL_SECONDS)

    def _flush(self, data: bytes, partial: bool) -> None:
        sending = self._transport.send(data, final=False, partial=partial)
        asyncio.run_coroutine_threadsafe(sending, self._loop).result()

    async def _in_worker(self, work: Callable[[], Result]) -> Result:
        return await self._loop.run_in_executor(self._service.workers, work)


def _result(task: asyncio.Task[Message | None]) -> Message | None:
    return None if task.cancelled() or task.exception() is not None else task.result()


def _work(message: Message, conversation: Conversation) -> Work:
    """Read a request and say what is to be done on a worker thread.

    :raises UnsupportedTypeError: for a parameter that the sandbox does not take
    :raises TdsProtocolError: when the request is malformed
    """
    run: Work
    if message.type is PacketType.SQL_BATCH:
        run = functools.partial(conversation.batch, parse_sql_batch(message.payload))
    elif message.type is PacketType.RPC:
        run = functools.partial(conversation.calls, parse_calls(message.payload))
    else:
        run = functools.partial(conversation.transaction, parse_transaction_request(message.payload))
    wants_reset = bool(message.status & RESET_BITS)

    def work(response: Response) -> None:
        if wants_reset:
            conversation.reset(response)
        try:
            run(response)
        finally:
            conversation.tell_transaction(response)

    return work
