"""Lines of progress on a terminal or in a log."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

ERASE_LINE = "\r\x1b[K"


class Terminal:
    """Says what is being done and how long it has been.

    :param stream: where to; a line of progress replaces the one before when it is a terminal
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._started = time.monotonic()
        self._last_progress: str | None = None
        self.is_interactive = stream.isatty()

    def say(self, text: str) -> None:
        """Write one line.

        :param text: what is being done
        """
        self.end_progress()
        self.write(f"{self._stamp()} {text}\n")

    def progress(self, text: str) -> None:
        """Write a line that replaces the last one; in a log, one that differs from the last.

        :param text: how far it is
        """
        if self.is_interactive:
            # A line that wraps cannot be erased
            line = f"{self._stamp()} {text}"[: shutil.get_terminal_size().columns - 1]
            self.write(ERASE_LINE + line)
        elif text != self._last_progress:
            self.write(f"{self._stamp()} {text}\n")
        self._last_progress = text

    def end_progress(self) -> None:
        """Keep the line of progress and go to the next."""
        if self.is_interactive and self._last_progress is not None:
            self.write("\n")
        self._last_progress = None

    def write(self, text: str) -> None:
        """Write as it is.

        :param text: with its line ends
        """
        self._stream.write(text)
        self._stream.flush()

    def _stamp(self) -> str:
        return f"[{time.monotonic() - self._started:3.0f} s]"
