"""The scalar functions that T-SQL has here: arguments and result types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.interface import SqlType
from airflow_provider_elasticjobs.sandbox.engine.types import (
    BIGINT,
    BIT,
    DATETIME,
    DATETIME2,
    FLOAT,
    GUID,
    INT,
    NVARCHAR_MAX,
    SYSNAME,
    VARBINARY_MAX,
)


@dataclass(frozen=True)
class FunctionInfo:
    """A scalar function.

    :param arguments: one letter each: ``s`` text, ``d`` date or time, ``n`` anything as it is
    :param required: how many of them must be given
    :param result: type of the result; None means that of the first argument
    :param variadic: whether the last letter repeats
    """

    arguments: str
    required: int
    result: SqlType | None
    variadic: bool = False


def _f(arguments: str, result: SqlType | None, required: int | None = None, *, variadic: bool = False) -> FunctionInfo:
    return FunctionInfo(arguments, len(arguments) if required is None else required, result, variadic)


_NVARCHAR: Final = SqlType("nvarchar", 4000)
_DATE: Final = SqlType("date")
_OFFSET: Final = SqlType("datetimeoffset", scale=7)
_SMALLINT: Final = SqlType("smallint")

TEXT_FUNCTIONS: Final[Mapping[str, FunctionInfo]] = {
    "LEN": _f("s", INT), "UPPER": _f("s", None), "LOWER": _f("s", None), "LTRIM": _f("s", None),
    "RTRIM": _f("s", None), "TRIM": _f("s", None), "LEFT": _f("sn", None), "RIGHT": _f("sn", None),
    "SUBSTRING": _f("nnn", None), "REPLACE": _f("sss", NVARCHAR_MAX), "STUFF": _f("snns", NVARCHAR_MAX),
    "CHARINDEX": _f("ssn", INT, 2), "PATINDEX": _f("ss", INT), "REVERSE": _f("s", None),
    "REPLICATE": _f("sn", NVARCHAR_MAX), "SPACE": _f("n", _NVARCHAR), "CONCAT": _f("s", NVARCHAR_MAX, variadic=True),
    "CONCAT_WS": _f("s", NVARCHAR_MAX, variadic=True), "QUOTENAME": _f("ss", SqlType("nvarchar", 258), 1),
    "ASCII": _f("s", INT), "UNICODE": _f("s", INT), "CHAR": _f("n", SqlType("char", 1)),
    "NCHAR": _f("n", SqlType("nchar", 1)), "STR": _f("nnn", SqlType("varchar", 50), 1),
    "TRANSLATE": _f("sss", NVARCHAR_MAX), "STRING_ESCAPE": _f("ss", NVARCHAR_MAX),
    "PARSENAME": _f("sn", SYSNAME), "FORMATMESSAGE": _f("nn", SqlType("nvarchar", 2048), 1, variadic=True),
    "ISJSON": _f("s", INT), "JSON_VALUE": _f("ss", _NVARCHAR), "JSON_QUERY": _f("ss", NVARCHAR_MAX, 1),
    "JSON_MODIFY": _f("ssn", NVARCHAR_MAX), "HASHBYTES": _f("sn", SqlType("varbinary", 8000)),
    "CHECKSUM": _f("n", INT, variadic=True), "BINARY_CHECKSUM": _f("n", INT, variadic=True),
    "ISNUMERIC": _f("n", INT), "SOUNDEX": _f("s", SqlType("varchar", 4)),
    "COMPRESS": _f("n", VARBINARY_MAX), "DECOMPRESS": _f("n", VARBINARY_MAX),
}  # fmt: skip
NUMBER_FUNCTIONS: Final[Mapping[str, FunctionInfo]] = {
    "ABS": _f("n", None), "CEILING": _f("n", None), "FLOOR": _f("n", None), "SIGN": _f("n", None),
    "ROUND": _f("nnn", None, 2), "POWER": _f("nn", None), "SQRT": _f("n", FLOAT), "SQUARE": _f("n", FLOAT),
    "EXP": _f("n", FLOAT), "LOG": _f("nn", FLOAT, 1), "LOG10": _f("n", FLOAT), "PI": _f("", FLOAT),
    "RAND": _f("n", FLOAT, 0),
}  # fmt: skip
TIME_FUNCTIONS: Final[Mapping[str, FunctionInfo]] = {
    "GETDATE": _f("", DATETIME), "GETUTCDATE": _f("", DATETIME), "SYSDATETIME": _f("", DATETIME2),
    "SYSUTCDATETIME": _f("", DATETIME2), "SYSDATETIMEOFFSET": _f("", _OFFSET), "YEAR": _f("d", INT),
    "MONTH": _f("d", INT), "DAY": _f("d", INT), "EOMONTH": _f("dn", _DATE, 1), "ISDATE": _f("n", INT),
    "DATEFROMPARTS": _f("nnn", _DATE), "DATETIME2FROMPARTS": _f("nnnnnnnn", DATETIME2),
    "DATETIMEFROMPARTS": _f("nnnnnnn", DATETIME), "TODATETIMEOFFSET": _f("dn", _OFFSET),
}  # fmt: skip
CONTEXT_FUNCTIONS: Final[Mapping[str, FunctionInfo]] = {
    "NEWID": _f("", GUID), "NEWSEQUENTIALID": _f("", GUID), "OBJECT_ID": _f("ss", INT, 1),
    "OBJECT_NAME": _f("nn", SYSNAME, 1), "OBJECT_SCHEMA_NAME": _f("nn", SYSNAME, 1),
    "OBJECT_DEFINITION": _f("n", NVARCHAR_MAX), "OBJECTPROPERTY": _f("ns", INT), "SCHEMA_ID": _f("s", INT, 0),
    "SCHEMA_NAME": _f("n", SYSNAME, 0), "DB_NAME": _f("n", SYSNAME, 0), "DB_ID": _f("s", _SMALLINT, 0),
    "TYPE_ID": _f("s", INT), "TYPE_NAME": _f("n", SYSNAME), "COL_LENGTH": _f("ss", _SMALLINT),
    "COL_NAME": _f("nn", SYSNAME), "COLUMNPROPERTY": _f("nss", INT), "INDEXPROPERTY": _f("nss", INT),
    "SERVERPROPERTY": _f("s", _NVARCHAR), "DATABASEPROPERTYEX": _f("ss", _NVARCHAR),
    "HAS_PERMS_BY_NAME": _f("sssss", INT, 3), "IS_ROLEMEMBER": _f("ss", INT, 1), "IS_MEMBER": _f("s", INT),
    "IS_SRVROLEMEMBER": _f("ss", INT, 1), "HAS_DBACCESS": _f("s", INT), "ORIGINAL_LOGIN": _f("", SYSNAME),
    "SUSER_SNAME": _f("n", SYSNAME, 0), "SUSER_NAME": _f("n", SYSNAME, 0), "USER_NAME": _f("n", SYSNAME, 0),
    "USER_ID": _f("s", INT, 0), "DATABASE_PRINCIPAL_ID": _f("s", INT, 0), "SUSER_ID": _f("s", INT, 0),
    "APP_NAME": _f("", SYSNAME), "HOST_NAME": _f("", SYSNAME), "HOST_ID": _f("", SqlType("char", 10)),
    "SCOPE_IDENTITY": _f("", SqlType("decimal", precision=38, scale=0)),
    "IDENT_CURRENT": _f("s", SqlType("decimal", precision=38, scale=0)), "XACT_STATE": _f("", _SMALLINT),
    "ERROR_NUMBER": _f("", INT), "ERROR_MESSAGE": _f("", _NVARCHAR), "ERROR_SEVERITY": _f("", INT),
    "ERROR_STATE": _f("", INT), "ERROR_LINE": _f("", INT), "ERROR_PROCEDURE": _f("", SYSNAME),
    "ROWCOUNT_BIG": _f("", BIGINT), "CURSOR_STATUS": _f("ss", _SMALLINT), "SESSION_CONTEXT": _f("s", _NVARCHAR),
    "CONNECTIONPROPERTY": _f("s", _NVARCHAR), "APPLOCK_MODE": _f("sss", SqlType("nvarchar", 32)),
    "APPLOCK_TEST": _f("ssss", INT), "CURRENT_REQUEST_ID": _f("", _SMALLINT), "XACT_ID": _f("", BIGINT),
    "CURRENT_TRANSACTION_ID": _f("", BIGINT), "CONTEXT_INFO": _f("", SqlType("varbinary", 128)),
    "GETANSINULL": _f("n", BIT, 0),
}  # fmt: skip
FUNCTIONS: Final[Mapping[str, FunctionInfo]] = {
    **TEXT_FUNCTIONS, **NUMBER_FUNCTIONS, **TIME_FUNCTIONS, **CONTEXT_FUNCTIONS,
}  # fmt: skip
