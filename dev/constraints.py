"""Write ``constraints.txt``: names and versions of everything that is tested, for every supported Python at once.

Run by ``make constraints``, which has ``uv`` at hand. Versions that the file names already are kept where they still
fit; with ``--upgrade`` the newest are taken.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
HEADER = "# Written by `make constraints`: what is tested, on Python 3.10 to 3.13. Names and versions only.\n"
# Resolved for Linux alone, so that this condition says nothing on any line
LINUX = re.compile(r" and sys_platform == 'linux'| ; sys_platform == 'linux'$")
LINE = re.compile(r"[a-z0-9-]+==[a-z0-9.+!]+( ; [^@/]+)?")


def resolve(options: list[str]) -> list[str]:
    """Return the lines of a resolution that is valid for all supported versions of Python.

    :param options: more options for ``uv pip compile``
    """
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "pyproject.toml"
        environments = "\n[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
        project.write_text((ROOT / "pyproject.toml").read_text() + environments)
        output = Path(folder) / "constraints.txt"
        output.write_text(CONSTRAINTS.read_text() if CONSTRAINTS.exists() else "")
        command = [
            *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.10"),
            *("--extra", "dev", "--no-annotate", "--no-header", "--only-binary", ":all:"),
            *("--no-emit-package", "airflow-provider-elasticjobs"),
        ]
        subprocess.run([*command, *options, "--output-file", str(output), str(project)], check=True)
        return [LINUX.sub("", line) for line in output.read_text().splitlines() if line and not line.startswith("#")]


def main() -> int:
    """Write the file; returns the exit code."""
    lines = resolve(sys.argv[1:])
    strange = [line for line in lines if not LINE.fullmatch(line)]
    if strange:
        sys.stderr.write(f"not a name and a version: {strange}\n")
        return 1
    CONSTRAINTS.write_text(HEADER + "\n".join(lines) + "\n")
    sys.stdout.write(f"{CONSTRAINTS.name}: {len(lines)} lines\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
