"""What the procedures of schema ``jobs`` mean, as plain Python: the views that a sequence of calls must leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


class Refused(Exception):  # noqa: N818 a refusal is what the call comes to, not a defect
    """The call must fail with 50000, and change nothing."""


def require(condition: object) -> None:
    if not condition:
        raise Refused


@dataclass(frozen=True)
class Step:
    name: str
    command: str
    group: str
    initial: int = 1
    maximum: int = 120
    attempts: int = 10
    parallelism: int | None = None
    table: str | None = None


@dataclass
class JobModel:
    description: str = ""
    enabled: bool = False
    interval: str = "Once"
    count: int = 1
    version: int = 0
    versions: dict[int, tuple[Step, ...]] = field(default_factory=dict)
    runs: list[tuple[int, str]] = field(default_factory=list)
    run_ids: list[object] = field(default_factory=list)

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.versions.get(self.version, ())

    @property
    def active(self) -> list[int]:
        return [number for number, (_, lifecycle) in enumerate(self.runs) if lifecycle == "Created"]

    def add_version(self, steps: list[Step]) -> None:
        self.version += 1
        self.versions[self.version] = tuple(steps)

    def find(self, step_id: int | None, step_name: str | None, *, may_omit: bool) -> int:
        """Return the index of the step that the arguments say."""
        require(step_id is None or step_name is None)
        if step_id is None and step_name is None:
            require(may_omit and len(self.steps) == 1)
            return 0
        for index, step in enumerate(self.steps):
            if index + 1 == step_id or step.name == step_name:
                return index
        raise Refused


Member = tuple[str, str, str, str]


class Model:
    """The job database's definitions; a method for each procedure."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobModel] = {}
        self.groups: dict[str, dict[Member, str]] = {}

    def _job(self, name: str) -> JobModel:
        require(name in self.jobs)
        return self.jobs[name]

    def sp_add_job(self, job_name: str, description: str = "", interval: str = "Once", count: int = 1) -> None:
        require(job_name not in self.jobs and "%" not in job_name)
        require(count >= 1)
        self.jobs[job_name] = JobModel(description, interval=interval, count=count)

    def sp_update_job(
        self, job_name: str, new_name: str | None, description: str | None, enabled: bool | None, count: int | None
    ) -> None:
        job = self._job(job_name)
        name = job_name if new_name is None else new_name
        require("%" not in name and (name == job_name or name not in self.jobs))
        require(count is None or count >= 1)
        job.description = job.description if description is None else description
        job.enabled = job.enabled if enabled is None else enabled
        job.count = job.count if count is None else count
        self.jobs[name] = self.jobs.pop(job_name)

    def sp_delete_job(self, job_name: str, force: bool) -> None:
        require(force or not self._job(job_name).active)
        self._job(job_name)
        del self.jobs[job_name]

    def sp_add_jobstep(self, job_name: str, step_id: int | None, step: Mapping[str, Any]) -> None:
        job = self._job(job_name)
        require(step["group"] in self.groups)
        index = len(job.steps) if step_id is None else step_id - 1
        require(0 <= index <= len(job.steps))
        name = step["name"] or ("JobStep" if index == 0 else None)
        require(name is not None)
        self._put(job, list(job.steps), index, Step(**{**step, "name": name}))

    def sp_update_jobstep(
        self, job_name: str, step_id: int | None, step_name: str | None, new_id: int | None, step: Mapping[str, Any]
    ) -> None:
        require(step["group"] is None or step["group"] in self.groups)
        job = self._job(job_name)
        index = job.find(step_id, step_name, may_omit=True)
        require(new_id is None or 1 <= new_id <= len(job.steps))
        require(step["name"] not in {each.name for each in job.steps})
        require(step["parallelism"] is None or step["parallelism"] >= -1)
        changed = replace(job.steps[index], **{key: value for key, value in step.items() if value is not None})
        changed = replace(
            changed,
            parallelism=None if changed.parallelism == -1 else changed.parallelism,
            table=changed.table or None,
        )
        rest = [each for number, each in enumerate(job.steps) if number != index]
        self._put(job, rest, index if new_id is None else new_id - 1, changed)

    def _put(self, job: JobModel, steps: list[Step], index: int, step: Step) -> None:
        require(step.name not in {each.name for each in steps})
        require(0 <= step.initial <= step.maximum)
        require(step.attempts >= 0)
        require(step.parallelism is None or step.parallelism >= 1)
        job.add_version([*steps[:index], step, *steps[index:]])

    def sp_delete_jobstep(self, job_name: str, step_id: int | None, step_name: str | None) -> None:
        job = self._job(job_name)
        index = job.find(step_id, step_name, may_omit=False)
        job.add_version([step for number, step in enumerate(job.steps) if number != index])

    def sp_add_target_group(self, name: str) -> None:
        require(name not in self.groups)
        self.groups[name] = {}

    def sp_delete_target_group(self, name: str) -> None:
        require(name in self.groups)
        for job in self.jobs.values():
            used = [*job.steps, *(step for run in job.active for step in job.versions[job.runs[run][0]])]
            require(name not in {step.group for step in used})
        # a group of an old version keeps its name there, and another of that name is not it
        for job in self.jobs.values():
            for version, steps in job.versions.items():
                job.versions[version] = tuple(
                    replace(step, group=f"{name} (deleted)") if step.group == name else step for step in steps
                )
        del self.groups[name]

    def sp_add_target_group_member(self, name: str, membership: str, member: Member) -> None:
        require(name in self.groups)
        require(member not in self.groups[name])
        self.groups[name][member] = membership

    def sp_delete_target_group_member(self, name: str, member: Member) -> None:
        require(name in self.groups)
        require(member in self.groups[name])
        del self.groups[name][member]

    def sp_start_job(self, job_name: str) -> None:
        job = self._job(job_name)
        require(job.steps)
        job.runs.append((job.version, "Created"))

    def sp_stop_job(self, job_name: str, run: int) -> None:
        job = self.jobs[job_name]
        job.runs[run] = (job.runs[run][0], "Canceled")

    def views(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the rows that the views must show, in no order."""
        jobs = self.jobs.items()
        versions = [
            (name, version, number, *_columns(step))
            for name, job in jobs
            for version, steps in job.versions.items()
            for number, step in enumerate(steps, 1)
        ]
        return {
            "jobs": [(n, j.version, j.description, j.enabled, j.interval, j.count) for n, j in jobs],
            "job_versions": [(name, version) for name, job in jobs for version in job.versions],
            "jobstep_versions": versions,
            "jobsteps": [row for row in versions if row[1] == self.jobs[row[0]].version],
            "target_groups": [(name,) for name in self.groups],
            "target_group_members": [
                (name, membership, *member)
                for name, members in self.groups.items()
                for member, membership in members.items()
            ],
            "job_executions": [(name, version, lifecycle) for name, job in jobs for version, lifecycle in job.runs],
        }


def _columns(step: Step) -> tuple[Any, ...]:
    group = step.group.partition(" (deleted)")[0]
    output = (None, None) if step.table is None else ("SqlDatabase", step.table)
    settings = (step.initial, step.maximum, step.attempts, step.parallelism)
    return (step.name, step.command, group, *settings, *output)
