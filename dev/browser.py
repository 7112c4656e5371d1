"""A headless Chromium, told what to do over its debugging protocol. Needs Debian's package ``chromium``."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from websockets.sync.client import ClientConnection, connect

from dev.airflow_client import every
from dev.processes import GuardedProcess, ProcessError

if TYPE_CHECKING:
    from typing_extensions import Self


class Browser:
    """One tab; a context manager.

    :param folder: for its profile and log
    :param width: of the window, pixels
    :param height: of the window, pixels
    """

    def __init__(self, folder: Path, *, width: int, height: int) -> None:
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        if program is None:
            raise ProcessError("Chromium is missing. Install it, for example with:\n    sudo apt-get install chromium")
        self._profile = folder / "chromium"
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
        size = [f"--window-size={width},{height}", "--force-device-scale-factor=1"]
        where = [f"--user-data-dir={self._profile}", "--remote-debugging-port=0", "about:blank"]
        self._process = GuardedProcess(
            "chromium",
            [program, *options, *size, *where],
            environment={**os.environ, "HOME": str(folder)},
            log=folder / "chromium.log",
        )
        self._numbers = itertools.count(1)
        self._running = ExitStack()
        self._tab: ClientConnection

    def __enter__(self) -> Self:
        """Start it.

        :raises ProcessError: it does not start
        """
        with self._running:
            self._running.enter_context(self._process)
            self._tab = self._running.enter_context(connect(self._address_of_tab(), max_size=None, proxy=None))
            self._running = self._running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self._running.close()

    def set_cookie(self, url: str, name: str, value: str) -> None:
        """Set a cookie.

        :param url: for which address
        :param name: of the cookie
        :param value: of the cookie
        """
        self._call("Network.setCookie", url=url, name=name, value=value)

    def open(self, url: str) -> None:
        """Go to an address.

        :param url: the address
        """
        self._call("Page.navigate", url=url)

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page.

        :param script: the expression
        """
        return self._call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def wait_for(self, script: str, timeout: float = 60) -> None:
        """Wait until a JavaScript expression is true.

        :param script: the expression
        :param timeout: seconds
        :raises ProcessError: it does not become true; shows what the page says
        """
        if not any(self.evaluate(script) for _ in every(0.3, timeout)):
            text = str(self.evaluate("document.body.innerText"))
            raise ProcessError(f"the page does not show what it should within {timeout:g} s:\n{text[:2000]}")

    def screenshot(self) -> bytes:
        """Return a picture of the window, PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"])

    def _address_of_tab(self) -> str:
        told = self._profile / "DevToolsActivePort"
        for _ in every(0.1, 60):
            if self._process.poll() is not None:
                raise ProcessError(f"Chromium ended\n{self._process.log_tail()}")
            if told.exists() and told.read_text().count("\n"):
                break
        else:
            raise ProcessError(f"Chromium was not ready within 60 s\n{self._process.log_tail()}")
        port = told.read_text().splitlines()[0]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=20) as answer:
            tabs = json.load(answer)
        return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._tab.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._tab.recv(timeout=60))
            if answer.get("id") == number:
                if "error" in answer:
                    raise ProcessError(f"Chromium refused {method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
