"""Resolving a target group: the servers are asked, then the algebra is done.

Reference 5.1: the union of the included members, minus everything that an excluded one matches. Exclusion wins whatever
the order; names are compared without letter case; no database comes twice; system databases come only when named. A
server is asked once per identity, servers at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from airflow_provider_elasticjobs.exceptions import ElasticJobsError, TargetGroupError
from airflow_provider_elasticjobs.model.targets import SqlElasticPool, SqlServer, Target, TargetGroup
from airflow_provider_elasticjobs.targets.algebra import (
    Answers,
    Question,
    matched_databases,
    question_of,
    questions_of,
)
from airflow_provider_elasticjobs.targets.enumerate import Enumerate, ServerDatabases
from airflow_provider_elasticjobs.targets.order import interleave

__all__ = ["NotOnline", "Resolution", "resolve"]

_ONLINE = "ONLINE"
_Questions = Mapping[Question, "SqlServer | SqlElasticPool"]


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


def resolve(group: TargetGroup, enumerate_server: Enumerate, *, max_workers: int = 16) -> Resolution:
    """Resolve a group into databases.

    :param group: the group.
    :param enumerate_server: asks one server; called from several threads.
    :param max_workers: most servers asked at the same time.
    :raises TargetGroupError: if a server could not be asked, or did not tell the elastic pools that are needed; the
        message names every such server with its cause, and what the others answered.
    """
    questions = questions_of(group)
    answers, failures = _ask(questions, enumerate_server, max_workers)
    failures.update(_untold_pools(group, answers))
    if failures:
        raise _failure(group, questions, answers, failures)
    matched = matched_databases(group, answers)
    return Resolution(
        interleave(target for target, state in matched if state.upper() == _ONLINE),
        [NotOnline(target, state) for target, state in matched if state.upper() != _ONLINE],
        {questions[question].server_name: len(answer.databases) for question, answer in answers.items()},
    )


def _ask(
    questions: _Questions, enumerate_server: Enumerate, max_workers: int
) -> tuple[dict[Question, ServerDatabases], dict[Question, ElasticJobsError]]:
    answers: dict[Question, ServerDatabases] = {}
    failures: dict[Question, ElasticJobsError] = {}
    workers = max(1, min(max_workers, len(questions)))
    with ThreadPoolExecutor(workers, thread_name_prefix="elasticjobs-resolve") as pool:
        futures = {
            question: pool.submit(enumerate_server, member.server_name, member.refresh_conn_id)
            for question, member in questions.items()
        }
    for question, future in futures.items():
        error = future.exception()
        if isinstance(error, ElasticJobsError):
            failures[question] = error
        else:
            answers[question] = future.result()
    return answers, failures


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
