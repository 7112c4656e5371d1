"""Asking a server, in its ``master``, whether a database that cannot be opened is gone.

Error 4060 has two causes: there is no such database, or this identity may not open it. And an identity that may not see
a database finds no row of it either. So the absence of the row counts only for one who sees all rows of
``sys.databases``: with ``VIEW ANY DATABASE``, which ``public`` has by default, or in one of the roles ``db_owner`` and
``dbmanager`` of ``master``, which the administrator of a logical server and its database makers are in.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from airflow_provider_elasticjobs.exceptions import ScriptError
from airflow_provider_elasticjobs.tsql.diagnostics import first_number, joined_text, parse_odbc_error
from airflow_provider_elasticjobs.tsql.literals import literal

if TYPE_CHECKING:
    import pyodbc

__all__ = ["database_is_gone"]

_QUESTION = """
SELECT COUNT(*), COALESCE(HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW ANY DATABASE'), 0)
    + COALESCE(IS_MEMBER('db_owner'), 0) + COALESCE(IS_MEMBER('dbmanager'), 0)
FROM sys.databases WHERE LOWER(name) = LOWER({name});
"""


def database_is_gone(master: pyodbc.Connection, database_name: str) -> bool:
    """Return whether the server has no such database; False also where the identity could not see it if it had.

    :param master: an open connection to ``master``.
    :param database_name: the database.
    :raises ScriptError: if the server does not answer the question.
    """
    import pyodbc  # noqa: PLC0415 - the driver is loaded when it is first needed

    try:
        with closing(master.cursor()) as cursor:
            row = cursor.execute(_QUESTION.format(name=literal(database_name))).fetchone()
    except pyodbc.Error as error:
        records = parse_odbc_error(error)
        failure = ScriptError(f"master does not answer: {joined_text(records)}", number=first_number(records))
    else:
        return row is not None and row[0] == 0 and row[1] > 0
    raise failure
