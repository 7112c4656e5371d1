"""The set algebra of a target group, given what its servers answered. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlElasticPool, SqlServer, Target, TargetGroup
from airflow_provider_elasticjobs.targets.enumerate import DatabaseInfo, ServerDatabases

__all__ = ["Answers", "Question", "matched_databases", "question_of", "questions_of"]

#: What a server is asked once for: its name in lower case, and the refresh connection.
Question = tuple[str, "str | None"]
Answers = Mapping[Question, ServerDatabases]

_Key = tuple[str, str]
_AnyMember = SqlServer | SqlElasticPool | SqlDatabase

# The more exactly a member names a database, the more its connection counts.
_EXACTNESS: dict[type, int] = {SqlDatabase: 0, SqlElasticPool: 1, SqlServer: 2}


def question_of(member: SqlServer | SqlElasticPool) -> Question:
    """Return what has to be asked for a member.

    :param member: a server or a pool.
    """
    return member.server_name.casefold(), member.refresh_conn_id


def questions_of(group: TargetGroup) -> dict[Question, SqlServer | SqlElasticPool]:
    """Return what has to be asked to resolve a group, each with the first member that asks it.

    A server of which nothing is included, or which is excluded as a whole, is not asked.

    :param group: the group.
    """
    excluded = {m.server_name.casefold() for m in group.members if m.exclude and isinstance(m, SqlServer)}
    included = {m.server_name.casefold() for m in group.members if not m.exclude} - excluded
    questions: dict[Question, SqlServer | SqlElasticPool] = {}
    for member in group.members:
        if not isinstance(member, SqlDatabase) and member.server_name.casefold() in included:
            questions.setdefault(question_of(member), member)
    return questions


def matched_databases(group: TargetGroup, answers: Answers) -> list[tuple[Target, str]]:
    """Return each database of the group once, with its state; a named one counts as ``ONLINE``.

    :param group: the group.
    :param answers: an answer to every question of :func:`questions_of`.
    """
    index = _index(answers)
    excluded = {key for member in group.members if member.exclude for key in _excluded_keys(member, answers)}
    closed = {m.server_name.casefold() for m in group.members if m.exclude and isinstance(m, SqlServer)}
    found: dict[_Key, tuple[Target, str]] = {}
    for member in sorted((m for m in group.members if not m.exclude), key=lambda m: _EXACTNESS[type(m)]):
        for target, state in _matches(member, answers, index):
            if target.key not in excluded and target.key[0] not in closed:
                _add(found, target, state)
    return list(found.values())


def _index(answers: Answers) -> dict[_Key, DatabaseInfo]:
    """Return every database that was told of; where two identities saw one, the answer that knows its pool."""
    index: dict[_Key, DatabaseInfo] = {}
    for (server, _), answer in answers.items():
        for info in answer.databases:
            known = index.get((server, info.name.casefold()))
            if known is None or known.elastic_pool_name is None:
                index[server, info.name.casefold()] = info
    return index


def _excluded_keys(member: _AnyMember, answers: Answers) -> Iterator[_Key]:
    server = member.server_name.casefold()
    if isinstance(member, SqlDatabase):
        yield server, member.database_name.casefold()
    elif isinstance(member, SqlElasticPool):
        for info in _databases(member, answers):
            yield server, info.name.casefold()


def _matches(member: _AnyMember, answers: Answers, index: Mapping[_Key, DatabaseInfo]) -> Iterator[tuple[Target, str]]:
    server = member.server_name
    if isinstance(member, SqlDatabase):
        info = index.get((server.casefold(), member.database_name.casefold()))
        name = member.database_name if info is None else info.name
        pool = None if info is None else info.elastic_pool_name
        yield Target(server, name, pool, member.conn_id), "ONLINE"
        return
    for info in _databases(member, answers):
        yield Target(server, info.name, info.elastic_pool_name, member.conn_id), info.state_desc


def _databases(member: SqlServer | SqlElasticPool, answers: Answers) -> list[DatabaseInfo]:
    answer = answers.get(question_of(member))
    if answer is None:
        return []
    if isinstance(member, SqlServer):
        return list(answer.databases)
    pool = member.elastic_pool_name.casefold()
    return [info for info in answer.databases if (info.elastic_pool_name or "").casefold() == pool]


def _add(found: dict[_Key, tuple[Target, str]], target: Target, state: str) -> None:
    """Add a match; an earlier, more exact one stays, and takes over what only this one knows."""
    if target.key not in found:
        found[target.key] = (target, state)
        return
    first, first_state = found[target.key]
    pool = first.elastic_pool_name or target.elastic_pool_name
    conn_id = first.conn_id or target.conn_id
    found[target.key] = (Target(first.server_name, first.database_name, pool, conn_id), first_state)
