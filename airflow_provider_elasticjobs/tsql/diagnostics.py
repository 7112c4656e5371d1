"""Messages and errors as the ODBC driver reports them, told apart by origin.

Two things about an error decide what may be done after it: whether the *engine* said it (its number counts) or the
driver did (then the number is an operating system's or the driver's own), and how severe it was. ODBC marks the origin
in the text: only a record that came from the server carries ``[SQL Server]`` after the vendor and the driver.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Diagnostic", "first_number", "joined_text", "parse_odbc_error", "strip_prefixes"]

_PREFIX = re.compile(
    r"(?:\[unixODBC\]\s*)?(?:\[Microsoft\]\s*)?(?:\[(?:ODBC )?Driver Manager\]\s*)?"
    r"(?:\[ODBC Driver \d+ for SQL Server\])?"
    r"(?P<server>\[SQL Server\])?\s*"
)
_LOWEST_ERROR_SEVERITY = 11
# How pyodbc joins records: "[42S02] [Microsoft]...text (208) (SQLExecDirectW); [42000] [Microsoft]...text (8180)".
_RECORD_START = re.compile(r"(?:\A|; )\[(?P<sqlstate>[0-9A-Z]{5})\] (?=\[(?:Microsoft|unixODBC)\])")
_RECORD_END = re.compile(r" \((?P<number>-?\d+)\)(?: \(\w+\))?\s*\Z")


@dataclass(frozen=True)
class Diagnostic:
    """One record: a message of the server (``PRINT``, ``RAISERROR``, an error) or a complaint of the driver.

    :param number: the engine's number if :attr:`from_server`, else the driver's or the operating system's.
    :param text: without the driver's prefixes.
    :param sqlstate: ODBC's five characters.
    :param severity: the engine's severity, 0 to 25; ``None`` where it is not known.
    :param line: line of the batch, or of the procedure, from 1; ``None`` where it is not known.
    :param from_server: whether the engine said it.
    :param state: the engine's state; ``None`` where it is not known.
    :param procedure: the procedure that said it; ``None`` for the batch itself.
    """

    number: int
    text: str
    sqlstate: str = "HY000"
    severity: int | None = None
    line: int | None = None
    from_server: bool = True
    state: int | None = None
    procedure: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether a statement failed: severity 11 and above; without a severity, an SQLSTATE that is no warning."""
        if self.severity is not None:
            return self.severity >= _LOWEST_ERROR_SEVERITY
        return self.sqlstate[:2] not in ("00", "01")


def strip_prefixes(text: str) -> tuple[str, bool]:
    """Return a record's text without vendor and driver, and whether the server said it.

    :param text: as ``SQLGetDiagRec`` gives it.
    """
    prefix = _PREFIX.match(text)
    if prefix is None:
        return text, False
    return text[prefix.end() :], prefix["server"] is not None


def parse_odbc_error(error: BaseException) -> list[Diagnostic]:
    """Return the records within a ``pyodbc`` exception, in order.

    Severity and line are lost there; a statement run by :class:`~.statement.Statement` keeps them.

    :param error: any exception; one that is not ``pyodbc``'s gives a single record of its text.
    """
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    starts = list(_RECORD_START.finditer(text))
    if not starts:
        return [Diagnostic(0, text, from_server=False)]
    ends = [start.start() for start in starts[1:]] + [len(text)]
    return [_record(start["sqlstate"], text[start.end() : end]) for start, end in zip(starts, ends, strict=True)]


def _record(sqlstate: str, text: str) -> Diagnostic:
    end = _RECORD_END.search(text)
    number = 0 if end is None else int(end["number"])
    plain, from_server = strip_prefixes(text if end is None else text[: end.start()])
    return Diagnostic(number, plain.rstrip(), sqlstate, from_server=from_server)


def first_number(diagnostics: Sequence[Diagnostic]) -> int | None:
    """Return the engine's number of the first error, or ``None`` if the engine reported none.

    :param diagnostics: records in the order in which they came.
    """
    return next((each.number for each in diagnostics if each.is_error and each.from_server and each.number > 0), None)


def joined_text(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the text of all records in one line each, the engine's with number, severity and line where known.

    :param diagnostics: records in the order in which they came.
    """
    return "\n".join(_described(each) for each in diagnostics)


def _described(diagnostic: Diagnostic) -> str:
    if not diagnostic.from_server:
        return diagnostic.text
    facts = [f"Msg {diagnostic.number}"]
    if diagnostic.severity is not None:
        facts.append(f"Level {diagnostic.severity}")
    if diagnostic.line:
        facts.append(f"Line {diagnostic.line}")
    return f"{', '.join(facts)}: {diagnostic.text}"
