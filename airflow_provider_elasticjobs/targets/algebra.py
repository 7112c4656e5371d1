"""The set algebra of a target group, given what its servers and lists answered. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard, get_args

from airflow_provider_elasticjobs.model.parameters import merged_parameters
from airflow_provider_elasticjobs.model.targets import (
    AnyMember,
    EnumeratedMember,
    ListedMember,
    SqlDatabase,
    SqlElasticPool,
    SqlServer,
    Target,
    TargetGroup,
)
from airflow_provider_elasticjobs.targets.enumerate import DatabaseInfo, ServerDatabases
from airflow_provider_elasticjobs.targets.listing import Listed

__all__ = ["Answers", "Listings", "Question", "is_listed", "matched_databases", "question_of", "questions_of"]

#: What a server is asked once for: its name in lower case, and the refresh connection.
Question = tuple[str, "str | None"]
Answers = Mapping[Question, ServerDatabases]
Listings = Mapping[ListedMember, Sequence[Listed]]

_Key = tuple[str, str]
_LISTED = get_args(ListedMember)


def is_listed(member: AnyMember) -> TypeGuard[ListedMember]:
    """Return whether something other than a server's own list says which databases a member stands for."""
    return isinstance(member, _LISTED)


def question_of(member: EnumeratedMember) -> Question:
    """Return what has to be asked for a member.

    :param member: a server, a pool or a pattern of databases.
    """
    return member.server_name.casefold(), member.refresh_conn_id


def questions_of(group: TargetGroup, listings: Listings) -> dict[Question, EnumeratedMember]:
    """Return what has to be asked to resolve a group, each with the first member that asks it.

    A server of which nothing is included, or which is excluded as a whole, is not asked; nor is one for an excluded
    pattern of databases, which what is included can be held against.

    :param group: the group.
    :param listings: the databases of each listed member.
    """
    included = {
        server for member in group.members if not member.exclude for server in _servers(member, listings)
    } - _closed(group)
    questions: dict[Question, EnumeratedMember] = {}
    for member in group.members:
        if isinstance(member, get_args(EnumeratedMember)) and _needs_list(member):
            question = question_of(member)
            if question[0] in included:
                questions.setdefault(question, member)
    return questions


def _servers(member: AnyMember, listings: Listings) -> set[str]:
    if isinstance(member, (SqlServer, SqlElasticPool, SqlDatabase)):
        return {member.server_name.casefold()}
    return {listed.target.key[0] for listed in listings[member]}


def _closed(group: TargetGroup) -> set[str]:
    """Return the servers that are excluded as a whole."""
    return {member.server_name.casefold() for member in group.members if member.exclude and type(member) is SqlServer}


def _needs_list(member: EnumeratedMember) -> bool:
    if isinstance(member, SqlDatabase):
        return bool(member.variant) and not member.exclude
    return True


def matched_databases(group: TargetGroup, answers: Answers, listings: Listings) -> list[tuple[Target, str]]:
    """Return each database of the group once, with its state; a named one counts as ``ONLINE``.

    :param group: the group.
    :param answers: an answer to every question of :func:`questions_of`.
    :param listings: the databases of each listed member.
    """
    index = _index(answers)
    closed = _closed(group)
    excluded = {key for m in group.members if m.exclude for key in _excluded_keys(m, answers, listings)}
    patterns = [m for m in group.members if m.exclude and isinstance(m, SqlDatabase) and m.variant]
    found: dict[_Key, tuple[Target, str]] = {}
    for member in sorted((m for m in group.members if not m.exclude), key=_exactness):
        for target, state in _matches(member, answers, listings, index):
            if target.key in excluded or target.key[0] in closed or any(_is_of(target, m) for m in patterns):
                continue
            _add(found, target, state)
    return list(found.values())


def _exactness(member: AnyMember) -> int:
    """The more exactly a member names a database, the more its connection and its parameters count."""
    if isinstance(member, (SqlServer, SqlElasticPool)):
        return 4 if isinstance(member, SqlServer) else 3
    if isinstance(member, SqlDatabase):
        return 2 if member.variant else 0
    return 1


def _index(answers: Answers) -> dict[_Key, DatabaseInfo]:
    """Return every database that was told of; where two identities saw one, the answer that knows its pool."""
    index: dict[_Key, DatabaseInfo] = {}
    for (server, _), answer in answers.items():
        for info in answer.databases:
            known = index.get((server, info.name.casefold()))
            if known is None or known.elastic_pool_name is None:
                index[server, info.name.casefold()] = info
    return index


def _excluded_keys(member: AnyMember, answers: Answers, listings: Listings) -> Iterator[_Key]:
    if isinstance(member, SqlElasticPool):
        for info in _databases(member, answers):
            yield member.server_name.casefold(), info.name.casefold()
    elif isinstance(member, SqlDatabase):
        if not member.variant:
            yield member.server_name.casefold(), member.database_name.casefold()
    elif not isinstance(member, SqlServer):
        for listed in listings[member]:
            yield listed.target.key


def _is_of(target: Target, member: SqlDatabase) -> bool:
    return target.key[0] == member.server_name.casefold() and member.holds(target.database_name, None)


def _matches(
    member: AnyMember, answers: Answers, listings: Listings, index: Mapping[_Key, DatabaseInfo]
) -> Iterator[tuple[Target, str]]:
    if isinstance(member, SqlDatabase) and not member.variant:
        named = Target(member.server_name, member.database_name, None, member.conn_id, member.parameters)
        yield _as_told(named, index), "ONLINE"
    elif isinstance(member, (SqlServer, SqlElasticPool, SqlDatabase)):
        for info in _databases(member, answers):
            target = Target(member.server_name, info.name, info.elastic_pool_name, member.conn_id, member.parameters)
            yield target, info.state_desc
    else:
        for listed in listings[member]:
            target = replace(listed.target, conn_id=member.conn_id or listed.target.conn_id)
            yield _as_told(target, index), listed.state_desc


def _as_told(target: Target, index: Mapping[_Key, DatabaseInfo]) -> Target:
    """Return a named target spelled as its server does, in the pool that its server tells."""
    info = index.get(target.key)
    if info is None:
        return target
    pool = info.elastic_pool_name or target.elastic_pool_name
    return replace(target, database_name=info.name, elastic_pool_name=pool)


def _databases(member: EnumeratedMember, answers: Answers) -> list[DatabaseInfo]:
    answer = answers.get(question_of(member))
    if answer is None:
        return []
    return [info for info in answer.databases if member.holds(info.name, info.elastic_pool_name)]


def _add(found: dict[_Key, tuple[Target, str]], target: Target, state: str) -> None:
    """Add a match; an earlier, more exact one stays, and takes over what only this one knows."""
    if target.key not in found:
        found[target.key] = (target, state)
        return
    first, first_state = found[target.key]
    merged = replace(
        first,
        elastic_pool_name=first.elastic_pool_name or target.elastic_pool_name,
        conn_id=first.conn_id or target.conn_id,
        parameters=merged_parameters(target.parameters, first.parameters),
    )
    found[target.key] = (merged, first_state)
