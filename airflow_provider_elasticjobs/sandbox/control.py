"""The procedures of schema ``sandbox``: how any client with a login steers the sandbox and reads what it counted.

They work in every database of every logical server, in a batch of their own (``EXEC sandbox.sp_add_fault @kind = ...``,
also with parameter markers) or called by name; the engine knows nothing of them and no fault hits them.

============================ ==========================================================================================
procedure                    parameters (defaults), result
============================ ==========================================================================================
``sp_add_fault``             @kind, @server (this one; ``'*'`` all), @database (all), @times (1; 0 for ever),
                             @containing, @seconds (1), @rows (1), @number (50000), @severity (16), @text: ``fault_id``
``sp_remove_fault``          @fault_id
``sp_clear_faults``          @server (all)
``sp_faults``                rows: fault_id and a fault's fields, @times being the times left
``sp_counters``              @server (this one; ``'*'`` all): a row a server, see :class:`.activity.Counters`
``sp_statements``            @server (this one), @database, @containing: rows, see :class:`.activity.Statement`
``sp_peak_running``          @server (this one), @database, @containing: most matching batches at once
``sp_reset_counters``        @server (all)
``sp_create_database``       @name, @elastic_pool (none), @state (``ONLINE``), @server (this one)
``sp_set_token``             @token, @user, @server (this one): accept an access token
``sp_expire_token``          @token, @server (this one)
============================ ==========================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Protocol

from airflow_provider_elasticjobs.sandbox.access_tokens import AccessTokens
from airflow_provider_elasticjobs.sandbox.activity import Activity
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError
from airflow_provider_elasticjobs.sandbox.engine.interface import Column, Parameter, ResultSink, ServerMessage, SqlType
from airflow_provider_elasticjobs.sandbox.faults import Fault, FaultBoard, FaultKind

SCHEMA = "sandbox."
UNKNOWN_PROCEDURE = 2812
BAD_CALL = 201
EVERYWHERE = "*"

_CALL = re.compile(r"^\s*EXEC(?:UTE)?\s+\[?sandbox\]?\s*\.\s*\[?(\w+)\]?(.*?);?\s*$", re.IGNORECASE | re.DOTALL)
_ARGUMENT = re.compile(
    r"\s*(?:(?P<name>@\w+)\s*=\s*)?"
    r"(?:(?P<null>NULL\b)|N?'(?P<text>(?:[^']|'')*)'|(?P<number>-?\d+(?:\.\d+)?)|(?P<variable>@\w+))\s*(?:,|$)",
    re.IGNORECASE,
)

Arguments = Mapping[str, object]


@dataclass(frozen=True)
class _Call:
    server: str
    arguments: Arguments
    sink: ResultSink

    def finish(self) -> None:
        """End a procedure that gives no rows."""
        self.sink.done(None, "")

    def matching(self) -> dict[str, str | None]:
        """What a statement log is asked for."""
        found = {name: self.arguments.get(name) for name in ("database", "containing")}
        return {name: None if value is None else str(value) for name, value in found.items()}


class ControlledServer(Protocol):
    """What the procedures need of a logical server."""

    name: str
    activity: Activity
    tokens: AccessTokens

    def create_database(self, name: str, *, elastic_pool: str | None = None, state: str = "ONLINE") -> None:
        """Make a database."""


class BadCallError(Exception):
    """A control procedure was called in a way it does not take."""


def parse_call(sql: str, parameters: Sequence[Parameter] = ()) -> tuple[str, dict[str, object]] | None:
    """Read a batch that calls one procedure of schema ``sandbox``.

    :param parameters: values for variables among the arguments
    :returns: procedure and arguments by lower-case name without ``@``; None for any other batch
    :raises BadCallError: when the arguments cannot be read
    """
    call = _CALL.match(sql)
    if call is None:
        return None
    values = {parameter.name.casefold(): parameter.value for parameter in parameters}
    arguments: dict[str, object] = {}
    rest, at = call[2].strip(), 0
    while at < len(rest):
        match = _ARGUMENT.match(rest, at)
        if match is None or match["name"] is None:
            raise BadCallError("give each argument as @name = literal or variable")
        arguments[match["name"][1:].casefold()] = _value(match, values)
        at = match.end()
    return call[1].casefold(), arguments


def _value(match: re.Match[str], values: Mapping[str, object]) -> object:
    if match["text"] is not None:
        return match["text"].replace("''", "'")
    if match["number"] is not None:
        return float(match["number"]) if "." in match["number"] else int(match["number"])
    if match["variable"] is None:
        return None
    if match["variable"].casefold() not in values:
        raise BadCallError(f"{match['variable']} is not declared")
    return values[match["variable"].casefold()]


class Control:
    """Carries out the procedures; see the module's table.

    :param servers: the logical servers, by lower-case name
    :param faults: the sandbox's faults
    """

    def __init__(self, servers: Mapping[str, ControlledServer], faults: FaultBoard) -> None:
        self._servers = servers
        self._faults = faults
        self._procedures: dict[str, Callable[[_Call], None]] = {
            "sp_add_fault": self._add_fault,
            "sp_remove_fault": self._remove_fault,
            "sp_clear_faults": self._clear_faults,
            "sp_faults": self._list_faults,
            "sp_counters": self._counters,
            "sp_statements": self._statements,
            "sp_peak_running": self._peak_running,
            "sp_reset_counters": self._reset_counters,
            "sp_create_database": self._create_database,
            "sp_set_token": self._set_token,
            "sp_expire_token": self._expire_token,
        }

    @staticmethod
    def owns(procedure: str) -> bool:
        """Whether a procedure called by name (lower case, no brackets) belongs to schema ``sandbox``."""
        return procedure.startswith(SCHEMA)

    def run_batch(self, server: str, sql: str, parameters: Sequence[Parameter], sink: ResultSink) -> bool:
        """Run a batch if it calls a procedure of schema ``sandbox``.

        :returns: whether it did; False leaves the batch to the engine
        """
        try:
            call = parse_call(sql, parameters)
        except BadCallError as problem:
            sink.error(ServerMessage(BAD_CALL, 16, 4, f"Procedure of schema sandbox: {problem}."))
            return True
        if call is not None:
            self._run(server, call[0], call[1], sink)
        return call is not None

    def call(self, server: str, procedure: str, arguments: Sequence[Parameter], sink: ResultSink) -> None:
        """Run a procedure called by name; its arguments must be named."""
        named = {argument.name.lstrip("@").casefold(): argument.value for argument in arguments}
        self._run(server, procedure, named, sink)

    def _run(self, server: str, procedure: str, arguments: Arguments, sink: ResultSink) -> None:
        run = self._procedures.get(procedure)
        if run is None:
            text = f"Could not find stored procedure 'sandbox.{procedure}'."
            sink.error(ServerMessage(UNKNOWN_PROCEDURE, 16, 62, text))
            return
        try:
            run(_Call(server, arguments, sink))
        except SqlError as refused:
            sink.error(refused.as_message())
        except KeyError as missing:
            text = f"Procedure sandbox.{procedure} expects parameter @{missing.args[0]}, which was not supplied."
            sink.error(ServerMessage(BAD_CALL, 16, 4, text, procedure=procedure))
        except (ValueError, TypeError, BadCallError) as problem:
            text = f"Procedure sandbox.{procedure}: {problem}."
            sink.error(ServerMessage(BAD_CALL, 16, 4, text, procedure=procedure))

    def _server(self, call: _Call) -> ControlledServer:
        return self._named(call.arguments.get("server") or call.server)

    def _named(self, name: object) -> ControlledServer:
        server = self._servers.get(str(name).casefold())
        if server is None:
            raise BadCallError(f"there is no server {name}")
        return server

    def _servers_meant(self, call: _Call, default: str) -> list[ControlledServer]:
        name = call.arguments.get("server") or default
        return list(self._servers.values()) if name == EVERYWHERE else [self._named(name)]

    def _add_fault(self, call: _Call) -> None:
        given = {name: value for name, value in call.arguments.items() if value is not None}
        times = int(str(given.pop("times", 1)))
        server = str(given.pop("server", call.server))
        kind = FaultKind(str(given.pop("kind")))
        seconds = float(str(given.pop("seconds", 1)))
        fault = Fault(
            kind,
            server=None if server == EVERYWHERE else self._named(server).name,
            times=times or None,
            seconds=seconds,
            **given,  # type: ignore[arg-type]  # a wrong name or type is the caller's and told to them
        )
        _give(call.sink, {"fault_id": self._faults.add(fault)})

    def _remove_fault(self, call: _Call) -> None:
        self._faults.remove(int(str(call.arguments["fault_id"])))
        call.finish()

    def _clear_faults(self, call: _Call) -> None:
        server = call.arguments.get("server")
        self._faults.clear(None if server is None else str(server))
        call.finish()

    def _list_faults(self, call: _Call) -> None:
        fields = asdict(Fault(FaultKind.SLOW))
        rows = [
            {"fault_id": number, **asdict(fault), "kind": fault.kind.value, "times": fault.times or 0}
            for number, fault in self._faults.pending().items()
        ]
        _give(call.sink, *rows, names=("fault_id", *fields))

    def _counters(self, call: _Call) -> None:
        servers = self._servers_meant(call, call.server)
        _give(call.sink, *({"server": server.name, **server.activity.counters().to_dict()} for server in servers))

    def _statements(self, call: _Call) -> None:
        log = self._server(call).activity.statements(**call.matching())
        names = ("number", "session_id", "database", "application_name", "text", "started", "ended", "outcome")
        _give(call.sink, *({name: getattr(statement, name) for name in names} for statement in log), names=names)

    def _peak_running(self, call: _Call) -> None:
        peak = self._server(call).activity.peak_running(**call.matching())
        _give(call.sink, {"peak_running": peak})

    def _reset_counters(self, call: _Call) -> None:
        for server in self._servers_meant(call, EVERYWHERE):
            server.activity.reset()
        call.finish()

    def _create_database(self, call: _Call) -> None:
        pool = call.arguments.get("elastic_pool")
        self._server(call).create_database(
            str(call.arguments["name"]),
            elastic_pool=None if pool is None else str(pool),
            state=str(call.arguments.get("state") or "ONLINE"),
        )
        call.finish()

    def _set_token(self, call: _Call) -> None:
        self._server(call).tokens.accept(str(call.arguments["token"]), str(call.arguments["user"]))
        call.finish()

    def _expire_token(self, call: _Call) -> None:
        self._server(call).tokens.expire(str(call.arguments["token"]))
        call.finish()


_TYPES: dict[type, SqlType] = {
    int: SqlType("bigint"),
    float: SqlType("float"),
    Decimal: SqlType("decimal", precision=38, scale=10),
}
_TIME_COLUMNS = frozenset({"started", "ended"})
_NUMBER_COLUMNS = frozenset({"fault_id", "times", "rows", "number", "severity", "session_id"})


def _column_type(name: str, values: Sequence[object]) -> SqlType:
    if name in _TIME_COLUMNS:
        return SqlType("datetime2", scale=6)
    if name in _NUMBER_COLUMNS:
        return SqlType("bigint")
    known = next((value for value in values if value is not None), None)
    return _TYPES.get(type(known), SqlType("nvarchar", length=4000))


def _give(sink: ResultSink, *rows: Mapping[str, object], names: Sequence[str] = ()) -> None:
    names = names or tuple(rows[0])
    sink.columns([Column(name, _column_type(name, [row[name] for row in rows])) for name in names])
    for row in rows:
        sink.row([row[name] for name in names])
    sink.done(len(rows), "SELECT")
