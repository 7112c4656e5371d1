"""Run the demo and save the picture of its grid for the documentation: ``make screenshot``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from dev.airflow_client import AirflowClient, quote
from dev.browser import Browser
from dev.demo import DAG_ID, FAILURES, ROOT, Demo
from dev.demo_folder import DemoFolder
from dev.terminal import Terminal

PICTURE = ROOT / "docs" / "images" / "grid.png"
BUTTON = "document.querySelector('button[aria-label=\"Expand all task groups\"]')"
STILL = (
    "document.getAnimations().every("
    "each => each.playState !== 'running' || each.effect.getComputedTiming().iterations === Infinity)"
)
LARGEST = 200_000  # bytes: the README stays quick to load


def take_picture(airflow: AirflowClient, run_id: str, folder: Path) -> bytes:
    """Return a picture of a run's grid with its mapped tasks listed, PNG.

    :param airflow: with the run in it
    :param run_id: the run
    :param folder: for the browser's files
    """
    with Browser(folder, width=1400, height=960) as browser:
        browser.set_cookie(airflow.url, "_token", airflow.token())
        browser.open(f"{airflow.url}/dags/{DAG_ID}/runs/{quote(run_id)}/tasks/Job1.step1.run/mapped")
        browser.wait_for(f"{BUTTON} && (document.querySelector('tbody tr') != null)")
        browser.evaluate(f"{BUTTON}.click()")
        browser.wait_for(f"document.body.innerText.includes('step2') && {STILL}")
        return browser.screenshot()


def main() -> int:
    """Run from the command line; returns the exit code."""
    terminal = Terminal(sys.stdout)
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            DemoFolder(ROOT / ".demo", terminal.say) as demo_folder,
            Demo(demo_folder, terminal) as demo,
        ):
            picture = take_picture(demo.airflow, demo.run_job(), Path(folder))
    except FAILURES as error:
        terminal.end_progress()
        sys.stderr.write(f"screenshot: {error}\n")
        return 1
    if len(picture) > LARGEST:
        sys.stderr.write(f"screenshot: {len(picture)} bytes are more than {LARGEST}\n")
        return 1
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_bytes(picture)
    terminal.say(f"saved {PICTURE.relative_to(ROOT)}, {len(picture) // 1000} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
