"""Set up what the other commands need: system libraries, a virtual environment, and this package in it.

Run by ``make install`` with the interpreter that the environment is made from. It does nothing, quickly, when
everything is there; it installs again when ``pyproject.toml`` or ``constraints.txt`` have changed. It uses the standard
library only.
"""

from __future__ import annotations

import collections
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from dev.system_packages import MissingPackagesError, ensure_packages, missing_packages

ROOT = Path(__file__).resolve().parents[1]
OLDEST, NEWEST = (3, 10), (3, 13)
MADE_HERE = ".made-by-make"
INSTALLED = ".installed-by-make"


class InstallError(Exception):
    """The environment cannot be set up; the message says what to do."""


def refuse_unsupported(found: tuple[int, int]) -> None:
    """Check the version of the interpreter.

    :param found: major and minor version
    :raises InstallError: it is not supported; names the interpreters of the path that are
    """
    if OLDEST <= found <= NEWEST:
        return
    names = [f"python3.{minor}" for minor in range(OLDEST[1], NEWEST[1] + 1)]
    usable = [name for name in names if shutil.which(name)]
    hint = f"Name another, for example: make test PYTHON={usable[-1]}" if usable else "Install one of them first."
    raise InstallError(f"{sys.executable} is Python {found[0]}.{found[1]}; Python 3.10 to 3.13 is needed. {hint}")


def fingerprint(root: Path, python: str) -> str:
    """Return a text that changes when there is something to install.

    :param root: the project's folder
    :param python: version of the interpreter, 'major.minor'
    """
    contents = [(root / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    digest = hashlib.sha256(b"\0".join([str(root).encode(), *contents])).hexdigest()
    return f"{python} {digest}"


class Environment:
    """One virtual environment.

    :param folder: where it is or will be
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"

    def version(self) -> str | None:
        """Return its Python's 'major.minor', or None when there is none that runs."""
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            answer = subprocess.run([str(self.python), "-c", code], capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        return answer.stdout.strip()

    def is_installed(self, wanted: str) -> bool:
        """Tell whether the last installation that succeeded was for this fingerprint.

        :param wanted: from :func:`fingerprint`
        """
        stamp = self.folder / INSTALLED
        return stamp.exists() and stamp.read_text() == wanted and self.python.exists()

    def make_room(self, python: str) -> None:
        """Remove an environment of another Python, or a broken one, if it was made here.

        :param python: the version it has to have
        :raises InstallError: it was made by somebody else
        """
        found = self.version()
        if not self.folder.exists() or found == python:
            return
        if not (self.folder / MADE_HERE).exists():
            has = f"has Python {found}" if found else "has no Python that runs"
            raise InstallError(
                f"{self.folder} {has} and make did not make it. Remove it, or name another with VENV=..."
            )
        say(f"removing {self.folder} (Python {found}) to make one of Python {python}")
        shutil.rmtree(self.folder)

    def create(self) -> None:
        """Make the environment, with pip in it, on a Debian without python3-venv too.

        :raises InstallError: neither venv nor pip is there and neither can be installed
        """
        version = "{}.{}".format(*sys.version_info)
        say(f"making {self.folder} with Python {version}")
        has_pip = importlib.util.find_spec("pip") is not None
        if importlib.util.find_spec("ensurepip") is None and not has_pip:
            ensure_packages([f"python{version}-venv"], "making a virtual environment")
        with_ensurepip = _can_make_environments()
        run([sys.executable, "-m", "venv", *([] if with_ensurepip else ["--without-pip"]), str(self.folder)])
        (self.folder / MADE_HERE).touch()
        if not with_ensurepip:
            run([sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "pip"])

    def install(self, wanted: str) -> None:
        """Install the package with everything its developers use, at the versions that are tested.

        :param wanted: fingerprint to remember
        :raises InstallError: pip failed
        """
        say("installing the package and what it needs (the first time this downloads some 150 MB)")
        options = ["--progress-bar=off", "--constraint", str(ROOT / "constraints.txt")]
        install_quietly([str(self.python), "-m", "pip", "install", *options, "--editable", f"{ROOT}[dev]"])
        (self.folder / INSTALLED).write_text(wanted)


def say(line: str) -> None:
    """Write a line of progress.

    :param line: the text
    """
    sys.stdout.write(f"install: {line}\n")
    sys.stdout.flush()


def run(command: list[str]) -> None:
    """Run a command, its output on the terminal.

    :param command: program and arguments
    :raises InstallError: it failed
    """
    result = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)
    if result.returncode != 0:
        raise InstallError(f"failed with exit code {result.returncode}: {' '.join(command)}")


def install_quietly(command: list[str]) -> None:
    """Run pip and tell how far it is now and then, instead of its hundreds of lines.

    :param command: program and arguments
    :raises InstallError: it failed; the end of its output goes to the terminal
    """
    collected, last_lines = 0, collections.deque[str](maxlen=40)
    with subprocess.Popen(
        command, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            last_lines.append(line)
            if line.startswith(("Collecting ", "Processing ")):
                collected += 1
                if collected % 30 == 0:
                    say(f"{collected} packages fetched")
            elif collected and line.startswith("Installing collected"):
                say(f"{collected} packages fetched; unpacking them")
    if pip.returncode != 0:
        sys.stderr.writelines(last_lines)
        raise InstallError(f"failed with exit code {pip.returncode}: {' '.join(command)}")


def _can_make_environments() -> bool:
    """Tell whether venv can put pip into an environment; asked in a new process, after a package was installed."""
    asked = subprocess.run([sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False)
    return asked.returncode == 0


def main() -> int:
    """Set everything up; returns the exit code."""
    environment = Environment((ROOT / os.environ.get("VENV", ".venv")).absolute())
    try:
        refuse_unsupported((sys.version_info[0], sys.version_info[1]))
        ensure_packages(missing_packages(), "Microsoft's ODBC driver")
        python = "{}.{}".format(*sys.version_info)
        wanted = fingerprint(ROOT, python)
        if environment.is_installed(wanted):
            return 0
        environment.make_room(python)
        if not environment.folder.exists():
            environment.create()
        environment.install(wanted)
    except (InstallError, MissingPackagesError) as error:
        sys.stderr.write(f"install: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
