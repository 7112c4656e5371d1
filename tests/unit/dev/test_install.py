from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dev import install
from dev.install import INSTALLED, MADE_HERE, Environment, InstallError, fingerprint, refuse_unsupported

PYTHON = "{}.{}".format(*sys.version_info)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "constraints.txt").write_text("six==1.0\n")
    return tmp_path


@pytest.fixture(scope="module")
def made_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder


@pytest.fixture
def environment(made_environment: Path, tmp_path: Path) -> Environment:
    shutil.copytree(made_environment, tmp_path / "venv", symlinks=True)
    return Environment(tmp_path / "venv")


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12), (3, 13)])
def test_supported_versions(version: tuple[int, int]) -> None:
    refuse_unsupported(version)


@pytest.mark.parametrize("version", [(2, 7), (3, 9), (3, 14)])
def test_another_version_is_refused_by_its_number(version: tuple[int, int]) -> None:
    with pytest.raises(InstallError, match=rf"Python {version[0]}\.{version[1]}; Python 3.10 to 3.13 is needed"):
        refuse_unsupported(version)


def test_the_refusal_names_an_interpreter_that_would_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "python3.12").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InstallError, match=r"make test PYTHON=python3\.12"):
        refuse_unsupported((3, 9))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InstallError, match="Install one of them first"):
        refuse_unsupported((3, 9))


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_file_changes_the_fingerprint(project: Path, name: str) -> None:
    before = fingerprint(project, "3.11")
    assert fingerprint(project, "3.11") == before
    (project / name).write_text("changed")
    assert fingerprint(project, "3.11") != before


def test_another_python_or_folder_changes_the_fingerprint(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    moved = tmp_path_factory.mktemp("moved") / "project"
    shutil.copytree(project, moved)
    assert len({fingerprint(project, "3.11"), fingerprint(project, "3.12"), fingerprint(moved, "3.11")}) == 3


def test_an_environment_is_installed_when_its_stamp_says_so(environment: Environment) -> None:
    assert not environment.is_installed("x")
    (environment.folder / INSTALLED).write_text("x")
    assert environment.is_installed("x")
    assert not environment.is_installed("y")


def test_the_version_of_an_environment(environment: Environment, tmp_path: Path) -> None:
    assert environment.version() == PYTHON
    assert Environment(tmp_path / "nothing").version() is None


def test_one_of_the_right_version_stays_whoever_made_it(environment: Environment) -> None:
    environment.make_room(PYTHON)
    assert environment.python.exists()


def test_one_of_another_version_goes_when_it_was_made_here(environment: Environment) -> None:
    (environment.folder / MADE_HERE).touch()
    environment.make_room("3.99")
    assert not environment.folder.exists()


def test_one_of_another_version_that_somebody_else_made_is_left_alone(environment: Environment) -> None:
    with pytest.raises(InstallError, match=rf"has Python {PYTHON} and make did not make it.*VENV="):
        environment.make_room("3.99")
    assert environment.python.exists()


def test_a_broken_one_made_here_goes_and_another_is_left_alone(tmp_path: Path) -> None:
    broken = Environment(tmp_path / "venv")
    broken.folder.mkdir()
    with pytest.raises(InstallError, match="has no Python that runs"):
        broken.make_room(PYTHON)
    (broken.folder / MADE_HERE).touch()
    broken.make_room(PYTHON)
    assert not broken.folder.exists()


def test_making_one_without_ensurepip_puts_the_pip_at_hand_into_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a Debian with python3-pip but without python3-venv."""
    ran: list[list[str]] = []

    def run(command: list[str]) -> None:
        ran.append(command)
        (tmp_path / "venv").mkdir(exist_ok=True)

    monkeypatch.setattr(install, "_can_make_environments", lambda: False)
    monkeypatch.setattr(install, "run", run)
    environment = Environment(tmp_path / "venv")
    environment.create()
    make, put_pip = ran
    assert make[1:] == ["-m", "venv", "--without-pip", str(environment.folder)]
    assert put_pip[1:] == ["-m", "pip", "--python", str(environment.python), "install", "--quiet", "pip"]
    assert (environment.folder / MADE_HERE).exists()


def test_a_machine_with_neither_ensurepip_nor_pip_asks_for_the_package_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PackageWantedError(Exception):
        pass

    def ensure(packages: list[str], reason: str) -> None:
        raise PackageWantedError(*packages)

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr(install, "ensure_packages", ensure)
    with pytest.raises(PackageWantedError, match=f"python{PYTHON}-venv"):
        Environment(tmp_path / "venv").create()


def test_pip_tells_how_far_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    code = "for n in range(31): print('Collecting', n)\nprint('Installing collected packages: a, b')"
    install.install_quietly([sys.executable, "-c", code])
    assert capfd.readouterr().out.splitlines() == [
        "install: 30 packages fetched",
        "install: 31 packages fetched; unpacking them",
    ]


def test_a_failing_pip_shows_the_end_of_its_output(capfd: pytest.CaptureFixture[str]) -> None:
    code = "print('ERROR: no such version'); raise SystemExit(7)"
    with pytest.raises(InstallError, match="exit code 7"):
        install.install_quietly([sys.executable, "-c", code])
    assert "ERROR: no such version" in capfd.readouterr().err


def test_the_second_call_does_nothing(
    project: Path, environment: Environment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "ROOT", project)
    monkeypatch.setenv("VENV", str(environment.folder))
    monkeypatch.setattr(install, "missing_packages", list)
    (environment.folder / INSTALLED).write_text(fingerprint(project, PYTHON))
    assert install.main() == 0
    assert capsys.readouterr() == ("", "")


def test_a_failure_is_one_message_and_exit_code_one(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "ROOT", project)
    monkeypatch.setenv("VENV", "not-an-environment")
    monkeypatch.setattr(install, "missing_packages", list)
    (project / "not-an-environment").mkdir()
    assert install.main() == 1
    assert capsys.readouterr().err.startswith(f"install: {project}/not-an-environment has no Python that runs")
