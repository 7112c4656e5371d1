"""The variables of a step's command: ``$(job_execution_id)`` and its like (reference 3.9), and parameters.

Where a variable stands decides what it becomes, so that the value can never change the script's structure:

=====================  ======================================================================
in code                a complete literal: ``N'name'``, ``'9F2A...'``, ``3``
inside ``'...'``       the bare value, quotes doubled: ``N'run $(job_execution_id)'`` stays one string
inside ``[...]``       the bare value, ``]`` doubled: ``[log_$(step_id)]`` stays one name
inside ``"..."``       the bare value, ``"`` doubled
in a comment           left alone
=====================  ======================================================================

Official scripts write ``$(job_execution_id)`` without quotes where a ``uniqueidentifier`` is needed, others write it
within quotes; both work. Names are matched in any letter case. Other names are left as they are: the server, or the
reader of the log, will complain about them, and text that only looks like a variable survives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from airflow_provider_elasticjobs.model.parameters import VARIABLE_NAMES
from airflow_provider_elasticjobs.tsql.lexer import Region, RegionKind, regions
from airflow_provider_elasticjobs.tsql.literals import literal, plain_text

__all__ = ["VARIABLE_NAMES", "substitute", "unknown_variables"]

_VARIABLE = re.compile(r"\$\((?P<name>\w+)\)")
_DELIMITERS = {RegionKind.STRING: "'", RegionKind.BRACKETED: "]", RegionKind.QUOTED: '"'}


def substitute(script: str, values: Mapping[str, object]) -> str:
    """Return the script with each ``$(name)`` of ``values`` replaced.

    :param script: T-SQL, whole or one batch.
    :param values: variable name in lower case to value; see :func:`~.literals.literal` for the types.
    :raises DefinitionError: if a value has no literal.
    """
    if "$(" not in script:
        return script
    return "".join(_substituted(script[region.start : region.end], region, values) for region in regions(script))


def unknown_variables(script: str, parameters: Iterable[str] = ()) -> list[str]:
    """Return the names in ``$(name)`` outside comments that no variable has, sorted, each once.

    :param script: T-SQL before the replacement.
    :param parameters: names of variables beside those that Elastic Jobs documents.
    """
    if "$(" not in script:
        return []
    known = VARIABLE_NAMES.union(name.lower() for name in parameters)
    found = {
        match["name"]
        for region in regions(script)
        if not region.kind.is_comment
        for match in _VARIABLE.finditer(script, region.start, region.end)
    }
    return sorted(name for name in found if name.lower() not in known)


def _substituted(text: str, region: Region, values: Mapping[str, object]) -> str:
    if region.kind.is_comment:
        return text
    delimiter = _DELIMITERS.get(region.kind)

    def replacement(match: re.Match[str]) -> str:
        name = match["name"].lower()
        if name not in values:
            return match.group()
        if delimiter is None:
            text = literal(values[name])
            # After a minus, a negative number's own would begin a comment.
            return f" {text}" if text.startswith("-") else text
        return plain_text(values[name]).replace(delimiter, delimiter * 2)

    return _VARIABLE.sub(replacement, text)
