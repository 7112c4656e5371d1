"""Trials: a job looked at, or run and undone, before it is run."""

from __future__ import annotations

from enum import Enum

from airflow_provider_elasticjobs.exceptions import DefinitionError

__all__ = ["Trial"]


class Trial(str, Enum):
    """How far a trial goes. Whatever it finds, it leaves the databases as they were; its rows end ``Skipped``."""

    PLAN = "plan"
    PARSE = "parse"
    ROLLBACK = "rollback"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def of(cls, value: str | None, owner: str) -> Trial | None:
        """Return the trial that a text asks for; None for no trial: None, an empty text, or ``"None"`` as a template
        leaves it.

        :param value: ``plan``, ``parse`` or ``rollback``.
        :param owner: what it was given to, for the error.
        :raises DefinitionError: for any other text, since running in earnest is not what was asked for.
        """
        if value is None or value in ("", "None"):
            return None
        try:
            return cls(value)
        except ValueError:
            raise DefinitionError(
                f"{owner}: trial must be {', '.join(repr(str(each)) for each in cls)} or None, not {value!r}"
            ) from None
