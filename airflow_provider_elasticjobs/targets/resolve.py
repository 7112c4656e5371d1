"""Resolving a target group: lists are read, then servers asked, then the algebra is done.

Reference 5.1: the union of the included members, minus everything that an excluded one matches. Exclusion wins whatever
the order; names are compared without letter case; no database comes twice; system databases come only when named. A
server is asked once per identity, servers at the same time. Shard maps, queries and earlier runs are asked before them,
because what they list decides which servers have to be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_elasticjobs.exceptions import DefinitionError, ElasticJobsError, TargetGroupError
from airflow_provider_elasticjobs.model.targets import (
    EnumeratedMember,
    ListedMember,
    SqlElasticPool,
    Target,
    TargetGroup,
)
from airflow_provider_elasticjobs.targets.algebra import (
    Answers,
    Question,
    is_listed,
    matched_databases,
    question_of,
    questions_of,
)
from airflow_provider_elasticjobs.targets.enumerate import Enumerate
from airflow_provider_elasticjobs.targets.listing import ListMember
from airflow_provider_elasticjobs.targets.order import interleave

__all__ = ["NotOnline", "Resolution", "resolve"]

_ONLINE = "ONLINE"
_Questions = Mapping[Question, EnumeratedMember]
_K = TypeVar("_K")
_A = TypeVar("_A")


@dataclass(frozen=True)
class NotOnline:
    """A database that belongs to the group and cannot be connected to now.

    :param target: the database.
    :param state_desc: its state in ``sys.databases``.
    """

    target: Target
    state_desc: str


@dataclass(frozen=True)
class Resolution:
    """What a group came to.

    :param targets: the databases to run on, elastic pools and servers taking turns.
    :param not_online: databases found by a server or pool member that are not online; a named one is always a target.
    :param databases_by_server: number of user databases each asked server holds, before the algebra.
    """

    targets: list[Target] = field(default_factory=list)
    not_online: list[NotOnline] = field(default_factory=list)
    databases_by_server: dict[str, int] = field(default_factory=dict)


def resolve(
    group: TargetGroup, enumerate_server: Enumerate, list_member: ListMember | None = None, *, max_workers: int = 16
) -> Resolution:
    """Resolve a group into databases.

    :param group: the group, its templates rendered.
    :param enumerate_server: asks one server; called from several threads.
    :param list_member: reads one shard map, query or earlier run; called from several threads. Needed if the group has
        such a member.
    :param max_workers: most servers asked at the same time.
    :raises TargetGroupError: if a server or a list could not be asked, or a server did not tell the elastic pools that
        are needed; the message names every such one with its cause, and what the others answered.
    :raises DefinitionError: if a query or a run cannot be used as it is defined, now or later.
    """
    listings, failures = _ask({m: m for m in group.members if is_listed(m)}, list_member, max_workers)
    if failures:
        raise _unread(group, failures)
    questions = questions_of(group, listings)
    answers, unasked = _ask(
        questions, lambda member: enumerate_server(member.server_name, member.refresh_conn_id), max_workers
    )
    unasked.update(_untold_pools(group, answers))
    if unasked:
        raise _failure(group, questions, answers, unasked)
    matched = matched_databases(group, answers, listings)
    return Resolution(
        interleave(target for target, state in matched if state.upper() == _ONLINE),
        [NotOnline(target, state) for target, state in matched if state.upper() != _ONLINE],
        {questions[question].server_name: len(answer.databases) for question, answer in answers.items()},
    )


def _ask(
    questions: Mapping[_K, Any], ask: Callable[[Any], _A] | None, max_workers: int
) -> tuple[dict[_K, _A], dict[_K, ElasticJobsError]]:
    """Ask all at once; return the answers, and the errors of those who gave none."""
    answers: dict[_K, _A] = {}
    failures: dict[_K, ElasticJobsError] = {}
    if questions and ask is None:
        raise TypeError("a group with a shard map, a query or a run needs list_member")
    workers = max(1, min(max_workers, len(questions)))
    with ThreadPoolExecutor(workers, thread_name_prefix="elasticjobs-resolve") as pool:
        futures = {question: pool.submit(ask, asked) for question, asked in questions.items()}  # type: ignore[arg-type]
    for question, future in futures.items():
        error = future.exception()
        if isinstance(error, ElasticJobsError):
            failures[question] = error
        else:
            answers[question] = future.result()
    return answers, failures


def _unread(group: TargetGroup, failures: Mapping[ListedMember, ElasticJobsError]) -> ElasticJobsError:
    """Return what came instead of lists as one error; what is wrong as defined is not worth another try."""
    causes = "; ".join(f"{member.label} could not be read: {error}" for member, error in failures.items())
    first = next(iter(failures.values()))
    hopeless = any(isinstance(error, DefinitionError) for error in failures.values())
    return (DefinitionError if hopeless else TargetGroupError)(
        f"target group '{group.name}': {causes}", server=first.server, database=first.database, number=first.number
    )


def _untold_pools(group: TargetGroup, answers: Answers) -> dict[Question, ElasticJobsError]:
    untold: dict[Question, ElasticJobsError] = {}
    for member in group.members:
        if not isinstance(member, SqlElasticPool):
            continue
        answer = answers.get(question_of(member))
        if answer is not None and not answer.pools_known:
            untold[question_of(member)] = TargetGroupError(
                f"the server does not tell its elastic pools, which {member.label} needs; only Azure SQL Database has"
                " them, and the refresh identity must be an administrator or in the role dbmanager of master"
            )
    return untold


def _failure(
    group: TargetGroup, questions: _Questions, answers: Answers, failures: Mapping[Question, ElasticJobsError]
) -> TargetGroupError:
    causes = "; ".join(
        f"the databases of {questions[question].label} could not be determined: {error}"
        for question, error in failures.items()
    )
    others = ", ".join(
        f"{questions[question].server_name} has {len(answer.databases)} database(s)"
        for question, answer in answers.items()
        if question not in failures
    )
    question, first = next(iter(failures.items()))
    return TargetGroupError(
        f"target group '{group.name}': {causes}. Other servers: {others or 'none asked'}.",
        server=questions[question].server_name,
        database="master",
        number=first.number,
    )
