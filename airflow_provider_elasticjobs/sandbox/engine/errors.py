# ruff: noqa: ISC004 - SQL text over several lines
"""SQL Server's error numbers, severities and texts, as far as the sandbox raises them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from airflow_provider_elasticjobs.sandbox.engine.interface import EngineError, ServerMessage

MESSAGES: Final[Mapping[int, tuple[int, int, str]]] = {
    102: (15, 1, "Incorrect syntax near '{}'."),
    105: (15, 1, "Unclosed quotation mark after the character string '{}'."),
    113: (15, 1, "Missing end comment mark '*/'."),
    134: (
        15,
        2,
        "The variable name '{}' has already been declared. Variable names must be unique within a query batch"
        " or stored procedure.",
    ),
    135: (15, 1, "Cannot use a {} statement outside the scope of a WHILE statement."),
    137: (15, 2, 'Must declare the scalar variable "{}".'),
    141: (
        15,
        1,
        "A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.",
    ),
    156: (15, 1, "Incorrect syntax near the keyword '{}'."),
    201: (16, 4, "Procedure or function '{}' expects parameter '{}', which was not supplied."),
    207: (16, 1, "Invalid column name '{}'."),
    208: (16, 1, "Invalid object name '{}'."),
    209: (16, 1, "Ambiguous column name '{}'."),
    213: (16, 1, "Column name or number of supplied values does not match table definition."),
    217: (16, 1, "Maximum stored procedure, function, trigger, or view nesting level exceeded (limit 32)."),
    220: (16, 2, "Arithmetic overflow error for data type {}, value = {}."),
    229: (14, 5, "The {} permission was denied on the object '{}', database '{}', schema '{}'."),
    241: (16, 1, "Conversion failed when converting date and/or time from character string."),
    242: (16, 3, "The conversion of a {} data type to a {} data type resulted in an out-of-range value."),
    245: (16, 1, "Conversion failed when converting the {} value '{}' to data type {}."),
    248: (16, 1, "The conversion of the {} value '{}' overflowed an int column."),
    262: (14, 1, "{} permission denied in database '{}'."),
    266: (
        16,
        2,
        "Transaction count after EXECUTE indicates a mismatching number of BEGIN and COMMIT statements."
        " Previous count = {}, current count = {}.",
    ),
    271: (
        16,
        1,
        'The column "{}" cannot be modified because it is either a computed column or is the result of a'
        " UNION operator.",
    ),
    402: (16, 1, "The data types {} and {} are incompatible in the {} operator."),
    512: (
        16,
        1,
        "Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <=,"
        " >, >= or when the subquery is used as an expression.",
    ),
    515: (16, 2, "Cannot insert the value NULL into column '{}', table '{}'; column does not allow nulls. {} fails."),
    544: (16, 1, "Cannot insert explicit value for identity column in table '{}' when IDENTITY_INSERT is set to OFF."),
    547: (
        16,
        0,
        'The {} statement conflicted with the {} constraint "{}". The conflict occurred in database "{}",'
        ' table "{}"{}.',
    ),
    657: (16, 1, "Could not disable support for increased partitions in database {}."),
    911: (16, 1, "Database '{}' does not exist. Make sure that the name is entered correctly."),
    1073: (15, 1, "The sandbox does not support: {}."),
    1205: (
        13,
        51,
        "Transaction (Process ID {}) was deadlocked on lock resources with another process and has been"
        " chosen as the deadlock victim. Rerun the transaction.",
    ),
    1222: (16, 51, "Lock request time out period exceeded."),
    1750: (16, 0, "Could not create constraint or index. See previous errors."),
    1769: (16, 1, "Foreign key '{}' references invalid column '{}' in referencing table '{}'."),
    1767: (16, 0, "Foreign key '{}' references invalid table '{}'."),
    1776: (
        16,
        0,
        "There are no primary or candidate keys in the referenced table '{}' that match the referencing"
        " column list in the foreign key '{}'.",
    ),
    1801: (16, 3, "Database '{}' already exists. Choose a different database name."),
    1911: (16, 1, "Column name '{}' does not exist in the target table or view."),
    1913: (16, 1, "The operation failed because an index or statistics with name '{}' already exists on {} '{}'."),
    2010: (16, 1, "Cannot perform alter on '{}' because it is an incompatible object type."),
    2601: (14, 1, "Cannot insert duplicate key row in object '{}' with unique index '{}'."),
    2627: (14, 1, "Violation of {} constraint '{}'. Cannot insert duplicate key in object '{}'."),
    2628: (16, 1, "String or binary data would be truncated in table '{}', column '{}'. Truncated value: '{}'."),
    2705: (
        16,
        3,
        "Column names in each table must be unique. Column name '{}' in table '{}' is specified more than once.",
    ),
    2714: (16, 6, "There is already an object named '{}' in the database."),
    2715: (16, 6, "Column, parameter, or variable #{}: Cannot find data type {}."),
    2732: (
        16,
        1,
        "Error number {} is invalid. The number must be from 13000 through 2147483647 and it cannot be 50000.",
    ),
    2756: (16, 1, "Invalid value {} for state. Valid range is from 0 to 255."),
    2759: (16, 0, "CREATE SCHEMA failed due to previous errors."),
    2760: (16, 1, 'The specified schema name "{}" either does not exist or you do not have permission to use it.'),
    2812: (16, 62, "Could not find stored procedure '{}'."),
    3609: (16, 1, "The transaction ended in the trigger. The batch has been aborted."),
    3701: (11, 5, "Cannot drop the {} '{}', because it does not exist or you do not have permission."),
    3702: (16, 3, 'Cannot drop database "{}" because it is currently in use.'),
    3726: (16, 1, "Could not drop object '{}' because it is referenced by a FOREIGN KEY constraint."),
    3728: (16, 1, "'{}' is not a constraint."),
    3729: (16, 1, "Cannot drop {} '{}' because it is being referenced by object '{}'."),
    3902: (16, 1, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3903: (16, 1, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."),
    3930: (
        16,
        1,
        "The current transaction cannot be committed and cannot support operations that write to the log"
        " file. Roll back the transaction.",
    ),
    3998: (16, 1, "Uncommittable transaction is detected at the end of the batch. The transaction is rolled back."),
    4060: (11, 1, 'Cannot open database "{}" requested by the login. The login failed.'),
    4104: (16, 1, 'The multi-part identifier "{}" could not be bound.'),
    4405: (16, 1, "View or function '{}' is not updatable because the modification affects multiple base tables."),
    4701: (16, 1, 'Cannot find the object "{}" because it does not exist or you do not have permissions.'),
    4712: (16, 1, "Cannot truncate table '{}' because it is being referenced by a FOREIGN KEY constraint."),
    4902: (16, 1, 'Cannot find the object "{}" because it does not exist or you do not have permissions.'),
    4924: (16, 1, "ALTER TABLE {} failed because column '{}' does not exist in table '{}'."),
    6401: (16, 1, "Cannot roll back {}. No transaction or savepoint of that name was found."),
    8003: (
        16,
        1,
        "The incoming request has too many parameters. The server supports a maximum of 2100 parameters."
        " Reduce the number of parameters and resend the request.",
    ),
    8102: (16, 1, "Cannot update identity column '{}'."),
    8114: (16, 5, "Error converting data type {} to {}."),
    8115: (16, 2, "Arithmetic overflow error converting {} to data type {}."),
    8134: (16, 1, "Divide by zero error encountered."),
    8144: (16, 2, "Procedure or function {} has too many arguments specified."),
    8145: (16, 1, "{} is not a parameter for procedure {}."),
    8152: (16, 14, "String or binary data would be truncated."),
    8162: (
        16,
        2,
        'The formal parameter "{}" was not declared as an OUTPUT parameter, but the actual parameter passed'
        " in requested output.",
    ),
    8169: (16, 2, "Conversion failed when converting from a character string to uniqueidentifier."),
    8178: (16, 1, "The parameterized query '{}' expects the parameter '{}', which was not supplied."),
    10700: (16, 1, 'The table-valued parameter "{}" is READONLY and cannot be modified.'),
    10704: (
        15,
        1,
        "To rethrow an error, a THROW statement must be used inside a CATCH block. Insert the THROW"
        " statement inside a CATCH block, or add error parameters to the THROW statement.",
    ),
    15023: (16, 1, "User, group, or role '{}' already exists in the current database."),
    15025: (16, 1, "The server principal '{}' already exists."),
    15151: (16, 1, "Cannot find the {} '{}', because it does not exist or you do not have permission."),
    15225: (
        11,
        1,
        "No item by the name of '{}' could be found in the current database '{}', given that @itemtype was"
        " input as '{}'.",
    ),
    15600: (15, 1, "An invalid parameter or option was specified for procedure '{}'."),
    16915: (16, 1, "A cursor with the name '{}' already exists."),
    16916: (16, 1, "A cursor with the name '{}' does not exist."),
    16917: (16, 2, "Cursor is not open."),
    16924: (
        16,
        1,
        "Cursorfetch: The number of variables declared in the INTO list must match that of selected columns.",
    ),
    18456: (14, 1, "Login failed for user '{}'."),
    40508: (
        16,
        1,
        "USE statement is not supported to switch between databases. Use a new connection to connect to a"
        " different database.",
    ),
    40510: (16, 1, "Statement '{}' is not supported in this version of SQL Server (the sandbox)."),
    40515: (16, 1, "Reference to database and/or server name in '{}' is not supported in this version of SQL Server."),
}
"""Number to severity, state and text."""

SCOPE_ABORTING: Final = frozenset({207, 208, 209, 213, 4104, 1073, 40510, 40515, 137})
"""Errors of late compilation: they end the batch or procedure and its own TRY does not see them."""

BATCH_ABORTING: Final = frozenset({241, 242, 245, 248, 1205, 3609, 3930, 3998, 8114, 8169})
"""Errors after which SQL Server abandons the batch and rolls the transaction back."""


class SqlError(EngineError):
    """An error that SQL Server would raise.

    :param number: SQL Server's error number
    :param text: the message, with its arguments filled in
    :param severity: 11 to 25
    :param state: 0 to 255
    """

    def __init__(self, number: int, text: str, *, severity: int = 16, state: int = 1) -> None:
        super().__init__(text)
        self.number = number
        self.text = text
        self.severity = severity
        self.state = state
        self.line: int | None = None
        self.procedure: str | None = None
        self.depth: int | None = None
        self.is_raiserror = False
        self.under_xact_abort = False
        self.aborts_batch = number in BATCH_ABORTING
        self.aborts_scope = number in SCOPE_ABORTING or severity == 15

    def as_message(self) -> ServerMessage:
        """Return what is sent to the client."""
        return ServerMessage(
            self.number, self.severity, self.state, self.text[:2048], self.line or 1, self.procedure or ""
        )


def sql_error(number: int, *arguments: object, state: int | None = None) -> SqlError:
    """Return the error of this number.

    :param number: one of :data:`MESSAGES`
    :param arguments: what the text's placeholders get
    :param state: instead of the usual state
    """
    severity, usual_state, text = MESSAGES[number]
    return SqlError(number, text.format(*arguments), severity=severity, state=usual_state if state is None else state)


def unsupported(construct: str) -> SqlError:
    """Return the error with which the sandbox refuses T-SQL that it does not know."""
    return sql_error(40510, construct)
