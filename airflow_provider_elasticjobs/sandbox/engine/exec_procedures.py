"""Executes EXEC of procedures and of text, and remote procedure calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.sandbox.engine import definitions as d
from airflow_provider_elasticjobs.sandbox.engine import statements as s
from airflow_provider_elasticjobs.sandbox.engine import system_procedures
from airflow_provider_elasticjobs.sandbox.engine.catalog import ObjectInfo
from airflow_provider_elasticjobs.sandbox.engine.errors import SqlError, sql_error
from airflow_provider_elasticjobs.sandbox.engine.functions_text import plain_text
from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter, ResultSink, SqlType
from airflow_provider_elasticjobs.sandbox.engine.lexer import tokenize
from airflow_provider_elasticjobs.sandbox.engine.parser import parse_batch, parse_parameters
from airflow_provider_elasticjobs.sandbox.engine.session_state import Frame
from airflow_provider_elasticjobs.sandbox.engine.token_cursor import TokenCursor
from airflow_provider_elasticjobs.sandbox.engine.types import INT
from airflow_provider_elasticjobs.sandbox.engine.values import Stored, cast_stored, from_stored, to_stored

if TYPE_CHECKING:
    from airflow_provider_elasticjobs.sandbox.engine.execution import Execution
    from airflow_provider_elasticjobs.sandbox.engine.interpreter import Interpreter
    from airflow_provider_elasticjobs.sandbox.engine.session import EngineSession


@dataclass
class Passed:
    """An argument as it reaches a procedure.

    :param is_default: whether DEFAULT was written
    :param is_output: whether the caller wants the value back; it is then left in ``value``
    """

    name: str
    value: Stored
    type: SqlType | None
    is_output: bool = False
    is_default: bool = False


class ProcedureExecution:
    """Calls procedures for one session."""

    def __init__(self, session: EngineSession, execution: Execution, interpreter: Interpreter) -> None:
        self._session = session
        self._execution = execution
        self._interpreter = interpreter

    def execute(self, statement: s.ExecuteProcedure, sink: ResultSink) -> None:
        """Execute ``EXEC procedure``."""
        name = statement.procedure
        if statement.variable:
            name = self._parsed_name(plain_text(self._session.frame.variable(statement.variable).value))
        passed = []
        for argument in statement.arguments:
            value, kind = self._execution.typed_value(argument.value) if argument.value is not None else (None, None)
            passed.append(Passed(argument.name, value, kind, bool(argument.output), argument.value is None))
        status = self.invoke(name, passed, sink)
        for argument, given in zip(statement.arguments, passed, strict=True):
            if argument.output:
                self._execution.assign(argument.output, given.value, given.type)
        if statement.status:
            self._execution.assign(statement.status, status, INT)

    def execute_text(self, statement: s.ExecuteText, sink: ResultSink) -> None:
        """Execute ``EXEC ('text')``."""
        text = "".join(self._execution.text(part) for part in statement.parts)
        self.run_text(text, [], [], sink)

    def remote_call(self, procedure: str, arguments: Sequence[Parameter], sink: ResultSink) -> None:
        """Execute a call that the client made by name."""
        passed = [
            Passed(each.name.lower(), to_stored(each.value, each.type), each.type, each.is_output) for each in arguments
        ]
        status = self.invoke(self._parsed_name(procedure), passed, sink)
        sink.return_status(status)
        for argument, given in zip(arguments, passed, strict=True):
            if argument.is_output:
                kind = given.type or argument.type
                sink.output_parameter(argument.name, kind, from_stored(given.value, kind))

    def _parsed_name(self, text: str) -> s.ObjectName:
        cursor = TokenCursor(text, tokenize(text))
        return cursor.object_name()

    def invoke(self, name: s.ObjectName, passed: list[Passed], sink: ResultSink) -> int:
        """Call a procedure and return its status; output values are left in ``passed``.

        :raises SqlError: 2812 when there is none
        """
        session = self._session
        system = system_procedures.find(name)
        if system is not None:
            return system(self, session, passed, sink)
        if name.server or (name.database and name.database.lower() != session.database.lower()):
            raise sql_error(40515, name)
        info = session.catalog.find(name.schema or "dbo", name.name)
        if info is None or info.type != "P":
            raise sql_error(2812, name)
        session.security.require_execute(info.object_id, info.schema_id, info.schema, info.name)
        return self._call(info, passed, sink)

    def _definition(self, info: ObjectInfo) -> d.CreateProcedure:
        cache = self._session.database_file.compiled
        found = cache.get(("procedure", info.definition))
        if found is None:
            found = parse_batch(info.definition).statements[0]
            cache.put(("procedure", info.definition), found)
        if not isinstance(found, d.CreateProcedure):
            raise sql_error(2812, info.name)
        return found

    def _call(self, info: ObjectInfo, passed: list[Passed], sink: ResultSink) -> int:
        definition = self._definition(info)
        frame = Frame(procedure=f"{info.schema}.{info.name}", procedure_id=info.object_id)
        bound = self._bind(definition.parameters, passed, f"{info.name}", frame)
        options = self._session.state.options
        nocount, xact_abort = options.nocount, options.xact_abort
        try:
            status = self._interpreter.nested(frame, definition.body, sink)
        finally:
            options.nocount, options.xact_abort = nocount, xact_abort
            self._return_outputs(bound, frame)
        return status

    def _return_outputs(self, bound: dict[str, Passed], frame: Frame) -> None:
        for name, given in bound.items():
            if given.is_output:
                variable = frame.variables[name]
                given.value, given.type = variable.value, variable.type

    def _bind(
        self, parameters: Sequence[d.ProcedureParameter], passed: Sequence[Passed], name: str, frame: Frame
    ) -> dict[str, Passed]:
        if len(passed) > len(parameters):
            raise sql_error(8144, name)
        known = {each.name for each in parameters}
        bound: dict[str, Passed] = {}
        for position, given in enumerate(passed):
            key = given.name or parameters[position].name
            if key not in known:
                raise sql_error(8145, given.name, name)
            bound[key] = given
        for parameter in parameters:
            self._bind_one(parameter, bound.get(parameter.name), name, frame)
        return bound

    def _bind_one(self, parameter: d.ProcedureParameter, given: Passed | None, name: str, frame: Frame) -> None:
        if given is not None and given.is_output and not parameter.is_output:
            raise sql_error(8162, parameter.name)
        if given is not None and not given.is_default:
            value = cast_stored(given.value, given.type, parameter.type)
        elif parameter.default is not None:
            found, kind = self._execution.typed_value(parameter.default)
            value = cast_stored(found, kind, parameter.type)
        else:
            raise sql_error(201, name, parameter.name)
        frame.declare(parameter.name, parameter.type, value)

    def run_text(
        self, text: str, parameters: Sequence[d.ProcedureParameter], passed: list[Passed], sink: ResultSink
    ) -> int:
        """Run dynamic text in a frame of its own."""
        frame = Frame()
        if len(passed) > 2100:
            raise sql_error(8003)
        bound = self._bind_dynamic(text, parameters, passed, frame)
        block = self._interpreter.parse(text)
        options = self._session.state.options
        nocount, xact_abort = options.nocount, options.xact_abort
        try:
            return self._interpreter.nested(frame, block, sink)
        finally:
            options.nocount, options.xact_abort = nocount, xact_abort
            self._return_outputs(bound, frame)

    def _bind_dynamic(
        self, text: str, parameters: Sequence[d.ProcedureParameter], passed: list[Passed], frame: Frame
    ) -> dict[str, Passed]:
        try:
            return self._bind(parameters, passed, "sp_executesql", frame)
        except SqlError as error:
            if error.number != 201:
                raise
            given = {each.name for each in passed}
            missing = next((each for each in parameters[len(passed) :] if each.name not in given), parameters[-1])
            listed = ",".join(f"{each.name} {each.type.name}" for each in parameters)
            raise sql_error(8178, f"({listed}){text}"[:200], missing.name) from None

    def run_parameterized(self, text: str, definitions: str, passed: list[Passed], sink: ResultSink) -> int:
        """Run what ``sp_executesql`` got."""
        return self.run_text(text, parse_parameters(definitions), passed, sink)
