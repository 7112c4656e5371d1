"""Rights in the job database: what installing it needs, what running jobs needs, and which of them a login lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from airflow_provider_elasticjobs.job_database.batch import Batch
from airflow_provider_elasticjobs.job_database.database import Session
from airflow_provider_elasticjobs.job_database.schema_steps import SchemaStep

__all__ = ["SCHEMAS", "TO_RUN", "LackingRights", "Right", "lacking_rights", "rights_to_apply", "rights_to_undo"]

#: The schemas of the job database.
SCHEMAS = ("jobs", "jobs_internal", "jobs_ext")

_CREATES = re.compile(r"^CREATE[ \t]+(SCHEMA|TABLE|VIEW|PROCEDURE|ROLE)\b", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Right:
    """One right of a login.

    :param permission: its name in ``GRANT``.
    :param schema: the schema that it is on; None for the database.
    :param objects: ``type`` in ``sys.objects`` of those that it concerns, in place of the schema as a whole; empty for
        a right that only the schema can have.
    """

    permission: str
    schema: str | None = None
    objects: str = ""

    def __str__(self) -> str:
        return f"{self.permission} on schema {self.schema}" if self.schema else self.permission


#: What workers and triggerers need; the role ``jobs_admin`` has those on ``jobs`` and ``jobs_ext``.
TO_RUN = (
    *(Right(permission, "jobs_internal", "U") for permission in ("SELECT", "INSERT", "UPDATE", "DELETE")),
    Right("EXECUTE", "jobs_internal", "P"),
    Right("SELECT", "jobs", "V"),
    Right("SELECT", "jobs_ext", "V"),
)


@dataclass(frozen=True)
class LackingRights:
    """What a login lacks; false if it is nothing.

    :param user: the login's user in the job database.
    :param rights: the rights.
    """

    user: str
    rights: tuple[Right, ...]

    def __bool__(self) -> bool:
        return bool(self.rights)

    def __str__(self) -> str:
        named = ", ".join(str(right) for right in self.rights)
        return f"user '{self.user}' lacks the right(s) {named}; an owner of the database grants them: {self.grants}"

    @property
    def grants(self) -> str:
        """The statements that give them."""
        return " ".join(self._grant(schema) for schema in dict.fromkeys(right.schema for right in self.rights))

    def _grant(self, schema: str | None) -> str:
        permissions = ", ".join(right.permission for right in self.rights if right.schema == schema)
        securable = f" ON SCHEMA::{schema}" if schema else ""
        return f"GRANT {permissions}{securable} TO [{self.user.replace(']', ']]')}];"


def rights_to_apply(steps: Iterable[SchemaStep]) -> list[Right]:
    """Return what a login needs to apply these steps.

    :param steps: the steps; what their scripts create decides. A schema that is there already must be the login's.
    """
    creates = {kind.upper() for step in steps for kind in _CREATES.findall(step.script)}
    return [*(Right(f"CREATE {kind}") for kind in sorted(creates)), *rights_to_undo()]


def rights_to_undo() -> list[Right]:
    """Return what a login needs to undo any step: the schemas must be its own, or it an owner of the database."""
    return [Right("CONTROL", schema) for schema in SCHEMAS]


# An owner has them all, whatever an engine says of a right that it does not know; NULL: there is no such schema.
_HELD = Batch(
    """
SELECT w.number, USER_NAME() AS user_name,
    CASE WHEN HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', N'CONTROL') = 1 THEN 1
        WHEN w.schema_name = N'' THEN HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', w.permission)
        WHEN SCHEMA_ID(w.schema_name) IS NULL THEN NULL
        ELSE HAS_PERMS_BY_NAME(w.schema_name, N'SCHEMA', w.permission) END AS held
FROM ({rows}) AS w (number, schema_name, permission)
ORDER BY w.number;
""",
    rows=("int", "nvarchar(128)", "nvarchar(60)"),
)
# Some engines know what was granted on a schema only as what may be done to the objects in it.
_HELD_ON_OBJECTS = Batch(
    """
SELECT w.number, HAS_PERMS_BY_NAME(s.name + N'.' + o.name, N'OBJECT', w.permission) AS held
FROM ({rows}) AS w (number, schema_name, permission, kind)
INNER JOIN sys.schemas AS s ON s.name = w.schema_name
INNER JOIN sys.objects AS o ON o.schema_id = s.schema_id AND o.type = w.kind;
""",
    rows=("int", "nvarchar(128)", "nvarchar(60)", "nvarchar(2)"),
)


def lacking_rights(session: Session, rights: Sequence[Right]) -> LackingRights:
    """Return which rights a session's login lacks, as far as the server tells.

    :param session: of the login in question.
    :param rights: those it should have; those on a schema that does not exist are not missed.
    """
    asked = session.run(_HELD, [(number, right.schema or "", right.permission) for number, right in enumerate(rights)])
    refused = [row.number for row in asked if row.held == 0]
    held = _held_on_objects(session, {number: rights[number] for number in refused if rights[number].objects})
    return LackingRights(
        asked[0].user_name if asked else "", tuple(rights[number] for number in refused if number not in held)
    )


def _held_on_objects(session: Session, rights: dict[int, Right]) -> set[int]:
    """Return the numbers of the rights that the login has on every object there is."""
    if not rights:
        return set()
    rows = [(number, right.schema, right.permission, right.objects) for number, right in rights.items()]
    answers = session.run(_HELD_ON_OBJECTS, rows)
    return {row.number for row in answers} - {row.number for row in answers if not row.held}
