"""The package as a whole: its public names, the direction of its imports, how light it is, what Airflow is told."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import airflow
import jsonschema
import pytest
from airflow.configuration import conf

import airflow_provider_elasticjobs as package
from airflow_provider_elasticjobs.get_provider_info import get_provider_info

ROOT = Path(package.__file__).parent
NAME = package.__name__

#: Each part may import those before it and itself; parts in one line do not know each other.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("exceptions",),
    ("model",),
    ("tsql", "authentication"),
    ("targets", "connections", "job_database"),
    ("outputs",),
    ("execution",),
    ("hooks",),
    ("triggers",),
    ("operators",),
    ("sensors",),
    ("task_groups",),
    ("cli",),
    ("listeners",),
)
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
KNOWS_AIRFLOW = frozenset({"hooks", "triggers", "operators", "sensors", "task_groups", "cli", "listeners"})
MODULES = sorted(path for path in ROOT.rglob("*.py"))


def part_of(path: Path) -> str:
    relative = path.relative_to(ROOT)
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_modules(path: Path) -> Iterator[str]:
    folder = [NAME, *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = folder[: len(folder) - node.level + 1] if node.level else []
            yield ".".join([*above, *([node.module] if node.module else [])])


def imported_parts(path: Path) -> set[str]:
    own = (module.split(".") for module in imported_modules(path) if module.split(".")[0] == NAME)
    return {parts[1] for parts in own if len(parts) > 1}


def identifier(path: Path) -> str:
    return str(path.relative_to(ROOT))


class TestPublicNames:
    def test_all_is_sorted_without_repetition(self) -> None:
        assert package.__all__ == sorted(set(package.__all__))

    @pytest.mark.parametrize("name", package.__all__)
    def test_each_name_can_be_had(self, name: str) -> None:
        assert getattr(package, name).__name__ == name

    def test_dir_shows_the_public_names(self) -> None:
        assert set(package.__all__) <= set(dir(package))

    def test_another_name_is_an_attribute_error(self) -> None:
        with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
            _ = package.Nothing

    def test_type_checkers_are_told_the_same_names(self) -> None:
        tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
        block = next(node for node in tree.body if isinstance(node, ast.If))
        told = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert told == set(package.__all__)

    def test_every_module_says_what_is_public_in_it(self) -> None:
        silent = [
            identifier(path)
            for path in MODULES
            if "__all__" not in path.read_text(encoding="utf-8")
            and any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in ast.parse(path.read_text()).body)
            and part_of(path) in KNOWS_AIRFLOW
        ]
        assert silent == []


class TestImports:
    @pytest.mark.parametrize("path", MODULES, ids=identifier)
    def test_a_module_imports_only_what_is_below_it(self, path: Path) -> None:
        part = part_of(path)
        if part in {"sandbox", "__init__", "get_provider_info"}:
            return
        own = LEVEL[part]
        wrong = {other for other in imported_parts(path) - {part} if LEVEL.get(other, len(LAYERS)) >= own}
        if part == "cli":
            wrong.discard("sandbox")
        assert wrong == set()

    @pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) == "sandbox"], ids=identifier)
    def test_the_sandbox_stands_apart(self, path: Path) -> None:
        assert imported_parts(path) <= {"sandbox"}

    @pytest.mark.parametrize("path", [path for path in MODULES if part_of(path) not in KNOWS_AIRFLOW], ids=identifier)
    def test_nothing_below_the_hooks_knows_airflow(self, path: Path) -> None:
        assert [module for module in imported_modules(path) if module.split(".")[0] == "airflow"] == []

    def test_importing_the_package_is_light(self) -> None:
        heavy = ("pyodbc", "azure", "airflow", "sqlalchemy", "pendulum", "sqlglot")
        code = f"import sys, {NAME}; print([name for name in {heavy} if name in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"

    def test_a_dag_file_imports_nothing_that_only_a_running_task_needs(self) -> None:
        names = "BeginWaveOperator, ElasticJob, JobStep, ResolveTargetGroupOperator, SqlServer, TargetGroup"
        code = f"import sys, json; from {NAME} import {names}; print(json.dumps(list(sys.modules)))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        loaded = set(json.loads(done.stdout.splitlines()[-1]))
        late = ("connections.connect", "execution.target", "job_database.database", "tsql.run", "targets.resolve")
        assert loaded.isdisjoint({"pyodbc", *(f"{NAME}.{module}" for module in late)})

    def test_writing_a_dag_needs_no_driver_and_no_azure_library(self) -> None:
        code = (
            f"import sys; from {NAME} import JobStep, TargetGroup, SqlServer, RetryPolicy;"
            "print([name for name in ('pyodbc', 'azure', 'airflow') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestProviderInfo:
    def test_it_fits_the_schema_of_airflow(self) -> None:
        schema = json.loads((Path(airflow.__file__).parent / "provider_info.schema.json").read_text())
        jsonschema.validate(get_provider_info(), schema)

    def test_every_module_and_function_that_it_names_is_there(self) -> None:
        info = get_provider_info()
        entries = [entry for kind in ("operators", "sensors", "hooks", "triggers") for entry in info[kind]]
        named = [module for entry in entries for module in entry["python-modules"]]
        named += [function.rpartition(".")[0] for function in info["cli"]]
        named += [entry["hook-class-name"].rpartition(".")[0] for entry in info["connection-types"]]
        missing = [
            module for module in named if not (ROOT.parent / Path(*module.split("."))).with_suffix(".py").exists()
        ]
        assert missing == []

    def test_the_settings_have_defaults_that_airflow_finds(self) -> None:
        assert conf.getint("elasticjobs", "trigger_threads") == 1000
        assert conf.getfloat("elasticjobs", "job_database_patience") == 120
        assert conf.getboolean("elasticjobs", "deferrable") is True
        assert conf.getboolean("elasticjobs", "preload") is True


@pytest.mark.parametrize("path", MODULES, ids=identifier)
def test_a_module_can_be_read_at_once(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
