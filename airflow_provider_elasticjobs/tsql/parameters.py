"""Real parameters: a batch that mentions ``@name`` runs through ``sp_executesql``, its values beside its text.

The batch, the declaration of its parameters and each value travel as arguments of their own, so nothing of a value can
become T-SQL. A value other than ``bytes`` travels as text and is converted to the declared type by the server, which
keeps it exact. NULL stands in the call, because a NULL argument has no type that the driver knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from uuid import UUID

from airflow_provider_elasticjobs.exceptions import DefinitionError
from airflow_provider_elasticjobs.model.parameters import ParameterValue
from airflow_provider_elasticjobs.tsql.batches import Batch
from airflow_provider_elasticjobs.tsql.lexer import RegionKind, regions
from airflow_provider_elasticjobs.tsql.literals import plain_text

__all__ = ["bound", "declared", "parameterized"]

_VARIABLE = re.compile(r"(?<![\w@#$])@(?P<name>\w+)")
_INT, _BIGINT = 2**31, 2**63
_IN_ROW_UNITS, _IN_ROW_BYTES = 4000, 8000
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bit"),
    (float, "float"),
    (datetime, "datetime2(7)"),
    (date, "date"),
    (time, "time(7)"),
    (UUID, "uniqueidentifier"),
)


def bound(batch: Batch, values: Mapping[str, ParameterValue]) -> Batch:
    """Return a batch with those of the parameters that it mentions.

    :param batch: a batch of a script.
    :param values: parameter name, without ``@``, to value.
    """
    return replace(batch, parameters=_mentioned(batch.text, values))


def declared(batch: Batch) -> Batch:
    """Return a batch with its parameters as variables without a value: for a server that is only to parse it.

    :param batch: from :func:`bound`.
    :raises DefinitionError: if a value has no T-SQL type.
    """
    if not batch.parameters:
        return batch
    return replace(batch, text=f"DECLARE {_declaration(batch.parameters)}; {batch.text}", parameters={})


def parameterized(text: str, values: Mapping[str, ParameterValue]) -> tuple[str, tuple[str | bytes, ...]]:
    """Return a call that runs a text with its parameters, and the call's arguments, one for each ``?`` in it.

    A text that mentions none of the parameters is returned as it is, without arguments.

    :param text: one T-SQL batch.
    :param values: parameter name, without ``@``, to value.
    :raises DefinitionError: if a value has no T-SQL type.
    """
    used = _mentioned(text, values)
    if not used:
        return text, ()
    passed = ", ".join(f"@{name} = {'NULL' if value is None else '?'}" for name, value in used.items())
    arguments = (_argument(value) for value in used.values() if value is not None)
    return f"EXEC sp_executesql ?, ?, {passed}", (text, _declaration(used), *arguments)


def _mentioned(text: str, values: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
    names = {
        match["name"].lower()
        for region in (regions(text) if values else ())
        if region.kind is RegionKind.CODE
        for match in _VARIABLE.finditer(text, region.start, region.end)
    }
    return {name: value for name, value in values.items() if name.lower() in names}


def _declaration(values: Mapping[str, ParameterValue]) -> str:
    return ", ".join(f"@{name} {_type_of(name, value)}" for name, value in values.items())


def _type_of(name: str, value: ParameterValue) -> str:
    if value is None or isinstance(value, str):
        units = len((value or "").encode("utf-16-le", "surrogatepass")) // 2
        return f"nvarchar({_IN_ROW_UNITS if units <= _IN_ROW_UNITS else 'max'})"
    if isinstance(value, bytes):
        return f"varbinary({_IN_ROW_BYTES if len(value) <= _IN_ROW_BYTES else 'max'})"
    for kind, declared in _TYPES:
        if isinstance(value, kind):
            return declared
    if isinstance(value, (int, Decimal)):
        return _exact_number(value)
    raise DefinitionError(f"parameter @{name}: a {type(value).__name__} value has no T-SQL type")


def _exact_number(value: int | Decimal) -> str:
    if isinstance(value, int) and -_BIGINT <= value < _BIGINT:
        return "int" if -_INT <= value < _INT else "bigint"
    digits = plain_text(value).lstrip("-")
    return f"decimal({len(digits.replace('.', ''))}, {len(digits.partition('.')[2])})"


def _argument(value: ParameterValue) -> str | bytes:
    return value if isinstance(value, bytes) else plain_text(value)
