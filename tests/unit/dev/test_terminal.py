from __future__ import annotations

import io

import pytest

from dev.terminal import ERASE_LINE, Terminal


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_a_line_for_each_change_of_progress() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    for text in ("1 done", "1 done", "2 done"):
        terminal.progress(text)
    terminal.say("end")
    assert [line.split("] ")[1] for line in stream.getvalue().splitlines()] == ["1 done", "2 done", "end"]


def test_on_a_terminal_progress_replaces_itself() -> None:
    stream = FakeTerminal()
    terminal = Terminal(stream)
    terminal.progress("1 done")
    terminal.progress("2 done")
    terminal.say("end")
    assert stream.getvalue().count("\n") == 2
    assert stream.getvalue().count(ERASE_LINE) == 2


def test_progress_on_a_terminal_never_wraps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    stream = FakeTerminal()
    Terminal(stream).progress("x" * 100)
    assert len(stream.getvalue().removeprefix(ERASE_LINE)) == 19


@pytest.mark.parametrize("stream", [io.StringIO(), FakeTerminal()])
def test_the_first_line_of_progress_after_a_text_is_shown_again(stream: io.StringIO) -> None:
    terminal = Terminal(stream)
    terminal.progress("same")
    terminal.say("between")
    terminal.progress("same")
    assert stream.getvalue().count("same") == 2
