from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from airflow_provider_elasticjobs.job_database.definitions import register_job
from airflow_provider_elasticjobs.model.job import Job, JobStep
from airflow_provider_elasticjobs.model.targets import SqlDatabase, SqlElasticPool, SqlServer, TargetGroup
from tests.wire.conftest import LiveServer
from tests.wire.job_database.procedures import Procedures, literal
from tests.wire.job_database.test_job_procedures import new_name, started

SERVER = "tenants.database.windows.net"
DATABASE = {"target_type": "SqlDatabase", "server_name": SERVER, "database_name": "db1"}


@pytest.fixture
def group(sql: Procedures) -> str:
    name = new_name("group")
    sql.call("sp_add_target_group", name)
    return name


def members(sql: Procedures, group: str) -> list[dict[str, Any]]:
    return sql.query(f"SELECT * FROM jobs.target_group_members WHERE target_group_name = {literal(group)};")


class TestGroups:
    def test_one_is_added(self, sql: Procedures) -> None:
        name = new_name("100 % of group")
        added = sql.call("sp_add_target_group", name)["target_group_id"]
        (row,) = sql.query(f"SELECT * FROM jobs.target_groups WHERE target_group_name = {literal(name)};")
        assert UUID(str(row["target_group_id"])) == UUID(str(added))

    @pytest.mark.parametrize("name", [None, ""])
    def test_it_needs_a_name(self, sql: Procedures, name: str | None) -> None:
        assert "needs a name" in sql.refused("sp_add_target_group", name)

    def test_a_name_is_taken_in_any_letter_case(self, sql: Procedures, group: str) -> None:
        with sql.changes_nothing():
            assert "already a target group" in sql.refused("sp_add_target_group", group.upper())

    @pytest.mark.parametrize("arguments", [{}, {"force": 1}])
    def test_a_deleted_one_leaves_its_name(self, sql: Procedures, group: str, arguments: dict[str, Any]) -> None:
        sql.call("sp_add_target_group_member", group, **DATABASE)
        sql.call("sp_delete_target_group", group, **arguments)
        assert members(sql, group) == []
        sql.call("sp_add_target_group", group)
        assert members(sql, group) == []
        sql.call("sp_delete_target_group", group)

    @pytest.mark.parametrize(("name", "words"), [(None, "is required"), ("no such group", "There is no target group")])
    def test_an_unknown_one_is_not_deleted(self, sql: Procedures, name: str | None, words: str) -> None:
        assert words in sql.refused("sp_delete_target_group", name)

    @pytest.mark.parametrize("force", [0, 1])
    def test_one_that_a_step_uses_is_not_deleted(self, sql: Procedures, group: str, force: int) -> None:
        job = new_name()
        sql.call("sp_add_job", job)
        sql.call("sp_add_jobstep", job, command="x", target_group_name=group)
        with sql.changes_nothing():
            assert f"is used by the job '{job}'" in sql.refused("sp_delete_target_group", group, force)
        sql.call("sp_delete_jobstep", job, step_id=1)
        sql.call("sp_delete_target_group", group)
        (row,) = sql.query(f"SELECT * FROM jobs.jobstep_versions WHERE job_name = {literal(job)};")
        assert row["target_group_name"] == group

    def test_one_of_a_deleted_job_is_deleted(self, sql: Procedures, group: str) -> None:
        job = new_name()
        sql.call("sp_add_job", job)
        sql.call("sp_add_jobstep", job, command="x", target_group_name=group)
        sql.call("sp_delete_job", job)
        sql.call("sp_delete_target_group", group)

    def test_one_that_an_active_execution_uses_is_not_deleted(self, sql: Procedures, db: JobDatabase) -> None:
        job, run = started(sql)
        sql.call("sp_delete_jobstep", job, step_id=1)
        assert "active execution" in sql.refused("sp_delete_target_group", f"group of {job}")
        sql.call("sp_stop_job", run)
        sql.call("sp_delete_target_group", f"group of {job}")


class TestMembers:
    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ({"target_type": "sqlserver"}, {"target_type": "SqlServer"}),
            ({"target_type": "SqlServer", "refresh_credential_name": "r"}, {"refresh_credential_name": "r"}),
            ({"target_type": "SqlElasticPool", "elastic_pool_name": "p"}, {"elastic_pool_name": "p"}),
            ({"target_type": "SQLDATABASE", "database_name": "d"}, {"target_type": "SqlDatabase"}),
            ({"target_type": "SqlDatabase", "database_name": "master", "membership_type": "EXCLUDE"},
             {"membership_type": "Exclude", "database_name": "master"}),
            ({"target_type": "SqlServer", "membership_type": None}, {"membership_type": "Include"}),
            ({"target_type": "sqlshardmap", "database_name": "d", "shard_map_name": "m",
              "refresh_credential_name": "r"},
             {"target_type": "SqlShardMap", "database_name": "d", "shard_map_name": "m"}),
        ],
        ids=str,
    )  # fmt: skip
    def test_kinds(self, sql: Procedures, group: str, given: dict[str, Any], stored: dict[str, Any]) -> None:
        added = sql.call("sp_add_target_group_member", group, server_name=SERVER, **given)
        (row,) = members(sql, group)
        assert UUID(str(row["target_id"])) == UUID(str(added["target_id"]))
        assert {key: row[key] for key in stored} == stored
        assert (row["server_name"], row["subscription_id"]) == (SERVER, None)
        assert row["shard_map_name"] == given.get("shard_map_name")

    def test_by_position(self, sql: Procedures, group: str) -> None:
        sql.script(
            f"EXEC jobs.sp_add_target_group_member {literal(group)}, 'Exclude', 'SqlElasticPool', 'r', '{SERVER}',"
            " NULL, 'pool', NULL, NULL;"
        )
        (row,) = members(sql, group)
        assert (row["membership_type"], row["target_type"]) == ("Exclude", "SqlElasticPool")
        assert (row["refresh_credential_name"], row["elastic_pool_name"]) == ("r", "pool")

    def test_a_target_has_one_id_everywhere(self, sql: Procedures, db: JobDatabase, group: str) -> None:
        name = f"db {uuid4().hex}"
        other, from_dag = new_name("group"), new_name("group")
        sql.call("sp_add_target_group", other)
        kinds = [SqlServer(name, refresh_conn_id="r"), SqlElasticPool(name, "p"), SqlDatabase(SERVER, name)]
        register_job(db, Job(new_name(), [JobStep("s", TargetGroup(from_dag, kinds), "SELECT 1;")]))
        for target in (group, other):
            server = name.upper()
            sql.call("sp_add_target_group_member", target, target_type="SqlServer", refresh_credential_name="R",
                     server_name=server)  # fmt: skip
            sql.call("sp_add_target_group_member", target, target_type="SqlElasticPool", server_name=server,
                     elastic_pool_name="P")  # fmt: skip
            sql.call("sp_add_target_group_member", target, "Exclude", "SqlDatabase", server_name=SERVER,
                     database_name=name)  # fmt: skip
        ids = [{str(row["target_id"]) for row in members(sql, each)} for each in (group, other, from_dag)]
        assert ids[0] == ids[1] == ids[2]
        assert len(ids[0]) == 3

    def test_credentials_make_different_targets(self, sql: Procedures, group: str) -> None:
        for credential in ("one", "two", None):
            sql.call("sp_add_target_group_member", group, target_type="SqlServer", server_name=SERVER,
                     refresh_credential_name=credential)  # fmt: skip
        assert len({str(row["target_id"]) for row in members(sql, group)}) == 3

    @pytest.mark.parametrize("membership", ["Include", "Exclude"])
    def test_a_member_is_added_once(self, sql: Procedures, group: str, membership: str) -> None:
        sql.call("sp_add_target_group_member", group, **DATABASE)
        with sql.changes_nothing():
            words = sql.refused("sp_add_target_group_member", group, membership, **{**DATABASE, "database_name": "DB1"})
        assert "already has this member" in words

    def test_eight_at_once_agree_on_the_id(self, server: LiveServer, installed: JobDatabase, sql: Procedures) -> None:
        names, database = [new_name("group") for _ in range(8)], f"db {uuid4().hex}"
        for name in names:
            sql.call("sp_add_target_group", name)

        def add(name: str) -> str:
            connection = server.connect(installed.database)
            try:
                call = Procedures(connection).call
                added = call("sp_add_target_group_member", name, **{**DATABASE, "database_name": database})
                return str(added["target_id"])
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as threads:
            assert len(set(threads.map(add, names))) == 1

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"target_group_name": "no such group"}, "There is no target group"),
            ({"target_group_name": None}, "@target_group_name is required"),
            ({"membership_type": "Both"}, "use Include or Exclude"),
            ({"membership_type": ""}, "use Include or Exclude"),
            ({"target_type": "TargetGroup"}, "use SqlServer"),
            ({"target_type": None}, "use SqlServer"),
            ({"target_type": "SqlShardMap"}, "needs @shard_map_name"),
            ({"target_type": "SqlShardMap", "shard_map_name": "m" * 51}, "at most 50 characters"),
            ({"target_type": "SqlShardMap", "shard_map_name": "m", "database_name": None}, "needs @database_name"),
            ({"shard_map_name": "m"}, "no @shard_map_name"),
            ({"server_name": None}, "needs @server_name"),
            ({"server_name": ""}, "needs @server_name"),
            ({"database_name": None}, "needs @database_name"),
            ({"elastic_pool_name": "p"}, "no @elastic_pool_name"),
            ({"refresh_credential_name": "r"}, "no @refresh_credential_name"),
            ({"target_type": "SqlServer"}, "no @database_name"),
            ({"target_type": "SqlServer", "database_name": None, "elastic_pool_name": "p"}, "no @elastic_pool_name"),
            ({"target_type": "SqlElasticPool", "database_name": None}, "needs @elastic_pool_name"),
            ({"target_type": "SqlElasticPool", "elastic_pool_name": "p"}, "no @database_name"),
        ],
        ids=str,
    )
    def test_errors(self, sql: Procedures, group: str, arguments: dict[str, Any], words: str) -> None:
        with sql.changes_nothing():
            assert words in sql.refused(
                "sp_add_target_group_member", **{"target_group_name": group, **DATABASE, **arguments}
            )

    def test_one_membership_is_removed(self, sql: Procedures, group: str) -> None:
        other = new_name("group")
        sql.call("sp_add_target_group", other)
        for name in (group, other):
            target = sql.call("sp_add_target_group_member", name, **DATABASE)["target_id"]
            sql.call("sp_add_target_group_member", name, **{**DATABASE, "database_name": "db2"})
        sql.call("sp_delete_target_group_member", group, target)
        assert [row["database_name"] for row in members(sql, group)] == ["db2"]
        assert len(members(sql, other)) == 2
        assert "has no member" in sql.refused("sp_delete_target_group_member", group, target)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"target_group_name": "no such group", "target_id": uuid4()}, "There is no target group"),
            ({"target_id": None}, "@target_id is required"),
            ({}, "@target_id is required"),
            ({"target_id": UUID(int=7)}, "has no member with target id"),
        ],
        ids=["group", "null", "omitted", "unknown"],
    )
    def test_errors_of_removal(self, sql: Procedures, group: str, arguments: dict[str, Any], words: str) -> None:
        with sql.changes_nothing():
            assert words in sql.refused("sp_delete_target_group_member", **{"target_group_name": group, **arguments})
