# ruff: noqa: ARG002 - one signature for every entry of a table
# ruff: noqa: E501 - SQL Server's texts in one piece
"""Turns sqlglot's T-SQL trees into SQLite text, with the T-SQL type of everything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlglot import exp

from airflow_provider_elasticjobs.sandbox.engine import emit_expressions, emit_functions, emit_predicates, emit_queries
from airflow_provider_elasticjobs.sandbox.engine.catalog import TableInfo
from airflow_provider_elasticjobs.sandbox.engine.errors import unsupported
from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.scopes import Scope, Sql
from airflow_provider_elasticjobs.sandbox.engine.statements import ObjectName

_UNSAFE: Final = re.compile(r"\W")


class Environment(Protocol):
    """What the compiler asks about the session."""

    def table(self, name: ObjectName) -> TableInfo:
        """Return a table or view; raises 208."""

    def variable_type(self, name: str) -> SqlType:
        """Return the type of a variable (lower case, with its @); raises 137."""

    def require(self, permission: str, table: TableInfo) -> None:
        """Check a permission; raises 229."""


@dataclass(frozen=True)
class EmittedQuery:
    """A query as SQLite text with its columns (name, type; an unnamed one is ``''``)."""

    text: str
    columns: tuple[tuple[str, SqlType | None], ...]


def parameter_name(variable: str) -> str:
    """Return the SQLite parameter of a T-SQL variable."""
    return "v" + _UNSAFE.sub(lambda match: f"_{ord(match[0]):x}_", variable[1:])


class Emitter:
    """Compiles one statement.

    :param environment: the session's tables and variables
    :param assigned: variables that the statement assigns row by row, read at run time instead of bound
    """

    def __init__(self, environment: Environment, assigned: Sequence[str] = ()) -> None:
        self.environment = environment
        self.assigned = frozenset(assigned)
        self.variables: dict[str, str] = {}
        self.locks = False
        self.reads_assigned = False
        self.assigns = False
        self._aliases = 0

    def alias(self, name: str) -> str:
        """Return a quoted alias that nothing else in the statement has."""
        self._aliases += 1
        return '"' + f"{name}#{self._aliases}".replace('"', '""') + '"'

    def variable(self, name: str) -> Sql:
        """Return a variable's value."""
        sql_type = self.environment.variable_type(name)
        if name in self.assigned:
            self.reads_assigned = True
            return Sql(f"tsql_variable('{name}')", sql_type)
        parameter = parameter_name(name)
        self.variables[parameter] = name
        return Sql(f":{parameter}", sql_type)

    def expression(self, node: exp.Expr, scope: Scope) -> Sql:
        """Compile a scalar expression.

        :raises SqlError: 40510 for what the sandbox does not know, 207 and such for wrong names
        """
        emit = _EXPRESSIONS.get(type(node))
        if emit is None:
            return self._inherited(node, scope)
        return emit(self, node, scope)

    def _inherited(self, node: exp.Expr, scope: Scope) -> Sql:
        raise unsupported(type(node).__name__.upper())

    def condition(self, node: exp.Expr, scope: Scope) -> str:
        """Compile a search condition."""
        return self.expression(node, scope).text

    def query(self, node: exp.Expr, scope: Scope, names: Sequence[str] = (), *, nested: bool = True) -> EmittedQuery:
        """Compile a query; see :func:`emit_queries.emit_query`."""
        return emit_queries.emit_query(self, node, scope, names, nested=nested)


_Emit = Callable[[Emitter, exp.Expr, Scope], Sql]
_EXPRESSIONS: Final[Mapping[type[exp.Expr], _Emit]] = {
    exp.Literal: emit_expressions.literal, exp.National: emit_expressions.national,
    exp.HexString: emit_expressions.binary, exp.Null: emit_expressions.null, exp.Boolean: emit_expressions.boolean,
    exp.Column: emit_expressions.column, exp.Parameter: emit_expressions.parameter, exp.Paren: emit_expressions.paren,
    exp.Neg: emit_expressions.negative, exp.Add: emit_expressions.add, exp.Sub: emit_expressions.arithmetic_operator,
    exp.Mul: emit_expressions.arithmetic_operator, exp.Div: emit_expressions.arithmetic_operator,
    exp.Mod: emit_expressions.arithmetic_operator, exp.BitwiseAnd: emit_expressions.bitwise,
    exp.BitwiseOr: emit_expressions.bitwise, exp.BitwiseXor: emit_expressions.bitwise,
    exp.BitwiseNot: emit_expressions.bitwise_not, exp.Case: emit_expressions.case, exp.Cast: emit_expressions.cast,
    exp.TryCast: emit_expressions.cast, exp.Convert: emit_expressions.convert, exp.Subquery: emit_expressions.subquery,
    exp.Select: emit_expressions.bare_subquery, exp.Collate: emit_expressions.collate, exp.AtTimeZone: emit_expressions.at_time_zone,
    exp.Anonymous: emit_functions.call, exp.GroupConcat: emit_functions.string_agg, exp.Window: emit_functions.window,
    exp.WithinGroup: emit_functions.within_group, exp.Dot: emit_functions.dotted, exp.DPipe: emit_expressions.add,
    exp.And: emit_predicates.connective, exp.Or: emit_predicates.connective, exp.Not: emit_predicates.negation,
    exp.EQ: emit_predicates.comparison, exp.NEQ: emit_predicates.comparison, exp.LT: emit_predicates.comparison,
    exp.LTE: emit_predicates.comparison, exp.GT: emit_predicates.comparison, exp.GTE: emit_predicates.comparison,
    exp.Is: emit_predicates.is_null, exp.In: emit_predicates.in_list, exp.Between: emit_predicates.between,
    exp.Like: emit_predicates.like, exp.Escape: emit_predicates.escaped_like, exp.Exists: emit_predicates.exists,
}  # fmt: skip
