"""Random sequences of definition calls, with a plain model of what every view must show after each of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

import pytest

from airflow_provider_elasticjobs.job_database.database import JobDatabase
from tests.wire.conftest import LIVE_SERVER
from tests.wire.job_database.definition_model import Member, Model, Refused
from tests.wire.job_database.procedures import Procedures

SEQUENCES, CALLS = (3, 25) if LIVE_SERVER else (10, 50)

_STEP = """step_name, command, target_group_name, initial_retry_interval_seconds, maximum_retry_interval_seconds,
retry_attempts, max_parallelism, output_type, output_table_name"""
COLUMNS = {
    "jobs": "job_name, job_version, description, enabled, schedule_interval_type, schedule_interval_count",
    "job_versions": "job_name, job_version",
    "jobstep_versions": f"job_name, job_version, step_id, {_STEP}",
    "jobsteps": f"job_name, job_version, step_id, {_STEP}",
    "target_groups": "target_group_name",
    "target_group_members": (
        "target_group_name, membership_type, target_type, server_name, database_name, elastic_pool_name"
    ),
    "job_executions": "job_name, job_version, lifecycle",
}


class Player:
    """Makes random calls, against the server and the model alike."""

    def __init__(self, sql: Procedures, seed: int) -> None:
        self.sql = sql
        self.model = Model()
        self.mark = uuid4().hex[:8]
        self.random = random.Random(seed)
        self.history: list[str] = []
        self.refusals = 0
        for number in range(2):
            for kind, procedure in (("job", "sp_add_job"), ("group", "sp_add_target_group")):
                name = f"{kind}{number} {self.mark}"
                getattr(self.model, procedure)(name)
                sql.call(procedure, name)

    def play(self) -> None:
        """Make one call, and compare every view with the model."""
        moves: list[tuple[int, Callable[[], None]]] = [
            (3, self._add_job), (2, self._update_job), (1, self._delete_job), (8, self._add_step),
            (6, self._update_step), (3, self._delete_step), (3, self._add_group), (1, self._delete_group),
            (4, self._add_member), (2, self._delete_member), (2, self._start), (2, self._stop),
        ]  # fmt: skip
        weights = [weight for weight, _ in moves]
        self.random.choices([move for _, move in moves], weights)[0]()
        found = {
            view: self.sql.script(
                f"SELECT {columns} FROM jobs.{view} WHERE {columns.split(',')[0]} LIKE N'%{self.mark}%';"
            )[0]
            for view, columns in COLUMNS.items()
        }
        shown = {view: sorted(map(repr, map(tuple, rows))) for view, rows in found.items()}
        wanted = {view: sorted(map(repr, rows)) for view, rows in self.model.views().items()}
        assert shown == wanted, "\n".join(self.history)

    def _do(self, procedure: str, *modelled: object, **arguments: object) -> dict[str, Any] | None:
        """Call the procedure as the model does; None if both refuse."""
        self.history.append(f"{procedure} {arguments}")
        try:
            getattr(self.model, procedure)(*modelled)
        except Refused:
            self.refusals += 1
            self.sql.refused(procedure, **arguments)
            return None
        return self.sql.call(procedure, **arguments)

    def _name(self, kind: str, count: int = 3) -> str:
        return f"{kind}{self.random.randrange(count)} {self.mark}"

    def _one(self, *values: Any, wrong: tuple[Any, ...] = ()) -> Any:
        """Return one of the values, and now and then a wrong one."""
        return self.random.choice(wrong if wrong and self.random.random() < 0.05 else values)

    def _existing(self, names: Iterable[str], kind: str) -> str:
        """Return the name of what exists, and now and then another."""
        return str(self._one(*sorted(names) or [self._name(kind)], wrong=(self._name(kind),)))

    def _job(self) -> str:
        return self._existing(self.model.jobs, "job")

    def _group(self) -> str:
        return self._existing(self.model.groups, "group")

    def _step(self, job: str) -> tuple[int | None, str | None]:
        """Return an id, or a name, of a step of the job."""
        steps = self.model.jobs[job].steps if job in self.model.jobs else ()
        valid = [(number, None) for number in range(1, len(steps) + 1)] + [(None, step.name) for step in steps]
        found: tuple[int | None, str | None] = self._one(
            *valid or [(1, None)], wrong=((None, None), (9, None), (1, "a"))
        )
        return found

    def _add_job(self) -> None:
        name = self._one(self._name("job"), wrong=(self._name("job%"),))
        description, interval, count = self._one("", "what"), self._one("Once", "Days"), self._one(1, 5, wrong=(0,))
        self._do("sp_add_job", name, description, interval, count, job_name=name, description=description,
                 schedule_interval_type=interval, schedule_interval_count=count)  # fmt: skip

    def _update_job(self) -> None:
        name, new = self._job(), self._one(None, self._name("job"), wrong=(self._name("job%"),))
        description, enabled, count = (
            self._one(None, "", "new"),
            self._one(None, True, False),
            self._one(None, 2, wrong=(0,)),
        )
        self._do("sp_update_job", name, new, description, enabled, count, job_name=name, new_name=new,
                 description=description, enabled=enabled, schedule_interval_count=count)  # fmt: skip

    def _delete_job(self) -> None:
        name, force = self._job(), self._one(True, False)
        self._do("sp_delete_job", name, force, job_name=name, force=force)

    def _settings(self) -> dict[str, Any]:
        return {
            "initial": self._one(1, 0, 5, wrong=(130, -1)),
            "maximum": self._one(120, 60, wrong=(4,)),
            "attempts": self._one(10, 0, 3, wrong=(-1,)),
            "parallelism": self._one(None, 1, 4, wrong=(0, -1)),
            "table": None,
        }

    def _arguments(self, step: dict[str, Any]) -> dict[str, Any]:
        output = {}
        if step["table"] is not None:
            given = bool(step["table"])
            output = {
                "output_type": "SqlDatabase" if given else "",
                "output_server_name": "s" if given else "",
                "output_database_name": "d" if given else "",
                "output_table_name": step["table"],
            }
        return {
            "command": step["command"],
            "target_group_name": step["group"],
            "initial_retry_interval_seconds": step["initial"],
            "maximum_retry_interval_seconds": step["maximum"],
            "retry_attempts": step["attempts"],
            "max_parallelism": step["parallelism"],
            **output,
        }

    def _add_step(self) -> None:
        job = self._job()
        steps = self.model.jobs[job].steps if job in self.model.jobs else ()
        at = self._one(None, *range(1, len(steps) + 2), wrong=(0, len(steps) + 2))
        step = {**self._settings(), "name": self._one(*"abcdefghijkl", wrong=(None,)),
                "command": f"SELECT {len(self.history)};", "group": self._group(),
                "table": self._one(None, None, "rows")}  # fmt: skip
        self._do("sp_add_jobstep", job, at, step, job_name=job, step_id=at, step_name=step["name"],
                 **self._arguments(step))  # fmt: skip

    def _update_step(self) -> None:
        job = self._job()
        steps = self.model.jobs[job].steps if job in self.model.jobs else ()
        new_id = self._one(None, *range(1, len(steps) + 1), wrong=(0, len(steps) + 1))
        step_id, step_name = self._step(job)
        step = {key: self._one(None, None, value) for key, value in self._settings().items()}
        step |= {"name": self._one(None, *"amnopqrs"), "command": self._one(None, f"SELECT {len(self.history)};"),
                 "group": self._one(None, None, self._group()), "parallelism": self._one(None, 2, -1, wrong=(0, -2)),
                 "table": self._one(None, None, "other", "")}  # fmt: skip
        self._do("sp_update_jobstep", job, step_id, step_name, new_id, step, job_name=job, step_id=step_id,
                 step_name=step_name, new_id=new_id, new_name=step["name"], **self._arguments(step))  # fmt: skip

    def _delete_step(self) -> None:
        job = self._job()
        step_id, step_name = self._step(job)
        self._do("sp_delete_jobstep", job, step_id, step_name, job_name=job, step_id=step_id, step_name=step_name)

    def _add_group(self) -> None:
        name = self._name("group")
        self._do("sp_add_target_group", name, target_group_name=name)

    def _delete_group(self) -> None:
        name = self._group()
        self._do("sp_delete_target_group", name, target_group_name=name)

    def _member(self) -> Member:
        kind = self._one("SqlServer", "SqlElasticPool", "SqlDatabase")
        database = f"db{self._one(1, 2)}" if kind == "SqlDatabase" else None
        return (kind, f"server{self._one(1, 2)}", database, "pool" if kind == "SqlElasticPool" else None)  # type: ignore[return-value]

    def _add_member(self) -> None:
        group, membership, member = self._group(), self._one("Include", "Exclude"), self._member()
        names = ("target_type", "server_name", "database_name", "elastic_pool_name")
        self._do("sp_add_target_group_member", group, membership, member, target_group_name=group,
                 membership_type=membership, **dict(zip(names, member, strict=True)))  # fmt: skip

    def _delete_member(self) -> None:
        group = self._group()
        member = self._one(*self.model.groups.get(group) or [self._member()], wrong=(self._member(),))
        where = " AND ".join(
            f"{name} IS NULL" if value is None else f"{name} = N'{value}'"
            for name, value in zip(("target_type", "server_name", "database_name", "elastic_pool_name"), member,
                                   strict=True)
        )  # fmt: skip
        rows = self.sql.script(f"SELECT target_id FROM jobs.target_group_members WHERE {where};")[0]
        target = rows[0][0] if rows else uuid4()
        self._do("sp_delete_target_group_member", group, member, target_group_name=group, target_id=target)

    def _start(self) -> None:
        name = self._job()
        started = self._do("sp_start_job", name, job_name=name)
        if started is not None:
            self.model.jobs[name].run_ids.append(started["job_execution_id"])

    def _stop(self) -> None:
        running = [(name, run) for name, job in self.model.jobs.items() for run in job.active]
        if running:
            name, run = self.random.choice(running)
            execution = self.model.jobs[name].run_ids[run]
            self._do("sp_stop_job", name, run, job_execution_id=execution)


@pytest.mark.parametrize("seed", range(SEQUENCES))
def test_every_view_shows_what_the_model_says(sql: Procedures, db: JobDatabase, seed: int) -> None:
    player = Player(sql, seed)
    for _ in range(CALLS):
        player.play()
    assert 0 < player.refusals < CALLS
