"""Prepared statements of one connection, and the parameters of a call bound to their declarations."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_elasticjobs.sandbox.engine.interface import Parameter
from airflow_provider_elasticjobs.sandbox.wire.declarations import Declaration, parse_declarations


@dataclass(frozen=True)
class Prepared:
    """A statement text with its declared parameters.

    :param sql: the text, or a procedure's name
    :param declarations: its parameters
    :param is_procedure: whether it is a procedure to call by name
    """

    sql: str
    declarations: Sequence[Declaration] = ()
    is_procedure: bool = False

    def bind(self, arguments: Sequence[Parameter]) -> list[Parameter]:
        """Give the arguments of a call their declared names and types.

        Arguments that nothing declares keep the type they came with, and by position are named ``@P1``, ``@P2`` ...
        """
        by_name = {declared.name.casefold(): declared for declared in self.declarations}
        return [self._bound(at, argument, by_name) for at, argument in enumerate(arguments)]

    def _bound(self, at: int, argument: Parameter, by_name: dict[str, Declaration]) -> Parameter:
        positional = self.declarations[at] if at < len(self.declarations) else None
        declared = by_name.get(argument.name.casefold()) if argument.name else positional
        if declared is None:
            return Parameter(argument.name or f"@P{at + 1}", argument.type, argument.value, argument.is_output)
        return Parameter(declared.name, declared.type, argument.value, argument.is_output)


def prepare(sql: object, declarations: object) -> Prepared:
    """Read a statement and its declarations as ``sp_prepare`` and ``sp_executesql`` give them.

    :raises ValueError: for declarations that cannot be read
    :raises TypeError: when the statement is no text
    """
    if not isinstance(sql, str):
        raise TypeError("the statement is no text")
    return Prepared(sql, parse_declarations(declarations if isinstance(declarations, str) else None))


class PreparedStatements:
    """The statements that a connection has prepared, by handle."""

    def __init__(self) -> None:
        self._handles = itertools.count(1)
        self._statements: dict[int, Prepared] = {}

    def add(self, statement: Prepared) -> int:
        """Keep a statement.

        :returns: its handle
        """
        handle = next(self._handles)
        self._statements[handle] = statement
        return handle

    def get(self, handle: object) -> Prepared | None:
        """The statement of a handle, None for an unknown one."""
        return self._statements.get(handle) if isinstance(handle, int) else None

    def remove(self, handle: object) -> None:
        """Forget a statement; an unknown handle is ignored, as by SQL Server's own driver at its end."""
        if isinstance(handle, int):
            self._statements.pop(handle, None)

    def clear(self) -> None:
        """Forget all."""
        self._statements.clear()
