from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dev.browser import Browser
from dev.processes import ProcessError

PAGE = "data:text/html,<title>t</title><p id=p>hello</p><script>setTimeout(() => {p.innerText = 'later'}, 300)</script>"


def put_chromium(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "chromium"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_a_machine_without_chromium_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProcessError, match="apt-get install chromium"):
        Browser(tmp_path, width=1, height=1)


def test_a_chromium_that_ends_is_shown_with_its_last_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_chromium(tmp_path, monkeypatch, "echo no display; exit 3")
    browser = Browser(tmp_path / "files", width=1, height=1)
    (tmp_path / "files").mkdir()
    with pytest.raises(ProcessError, match=r"Chromium ended\n(.|\n)*no display"), browser:
        pass


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_a_real_one_shows_a_page_and_makes_a_picture_of_it(tmp_path: Path) -> None:
    with Browser(tmp_path, width=300, height=200) as browser:
        browser.open(PAGE)
        browser.wait_for("document.title == 't' && p.innerText == 'later'", 20)
        assert browser.evaluate("1 + 1") == 2
        assert browser.screenshot().startswith(b"\x89PNG")
        with pytest.raises(ProcessError, match=r"does not show(.|\n)*later"):
            browser.wait_for("false", 0.1)
        with pytest.raises(ProcessError, match=r"refused No\.such"):
            browser._call("No.such")
