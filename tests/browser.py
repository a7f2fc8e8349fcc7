"""Chromium without a window, driven by chromedriver: the few commands that tests of pages need (W3C WebDriver)."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import time
import urllib.request
from pathlib import Path


class Browser:
    """One window."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        options = {
            "args": ["--headless", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"]
        }
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        value = self._call("/session", {"capabilities": {"alwaysMatch": wanted}})
        self.session = f"/session/{value['sessionId']}"

    def _call(self, path: str, body: dict | None = None, method: str | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def get(self, place: Path | str) -> None:
        address = place if isinstance(place, str) else place.as_uri()
        self._call(f"{self.session}/url", {"url": address})

    def run(self, script: str):
        return self._call(f"{self.session}/execute/sync", {"script": script, "args": []})

    def wait(self, script: str):
        """The value of a promise."""
        return self._call(
            f"{self.session}/execute/async", {"script": f"const done = arguments[0]; {script}", "args": []}
        )

    def shown_as(self, medium: str = "", width: int = 0) -> None:
        """The page as it is on paper (``print``), or on a screen of a width in pixels; nothing given: as it was."""
        self._cdp("Emulation.setEmulatedMedia", {"media": medium})
        if width:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True}
            self._cdp("Emulation.setDeviceMetricsOverride", size)
        else:
            self._cdp("Emulation.clearDeviceMetricsOverride", {})

    def _cdp(self, name: str, parameters: dict):
        return self._call(f"{self.session}/goog/cdp/execute", {"cmd": name, "params": parameters})

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self._call(f"{self.session}/se/log", {"type": "browser"})]

    def close(self) -> None:
        self._call(self.session, method="DELETE")


@contextlib.contextmanager
def browser():
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        for line in driver.stdout:
            if (match := re.search(r"started successfully on port (\d+)", line)) is not None:
                break
        time.sleep(0.1)
        opened = Browser(int(match[1]))
        try:
            yield opened
        finally:
            opened.close()  # also of a test that fails: the driver leaves its windows behind
    finally:
        driver.terminate()
        driver.wait(20)
        driver.stdout.close()
