"""A real Chromium for tests of web pages: headless, offline, controlled by its own driver.

The browser comes from Debian's packages chromium and chromium-driver; `make test` installs them if
it has the permission. Without them the tests are skipped, except in CI (``CI`` is set), where they
fail.
"""

import base64
import contextlib
import os
import shutil
import threading
from http.server import ThreadingHTTPServer

import pytest
from selenium import webdriver

NARROW, WIDE = 390, 1280
"""Page widths of a phone and of a laptop, in px."""

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb",
)  # fmt: skip


@contextlib.contextmanager
def answering(handler):
    """Yields the address of a server in this process, without a slash at its end.

    Args:
        handler: class of `http.server` that answers the requests.
    """
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def chromium(profile, *, width=WIDE, height=900, dark=False):
    """Yields a browser with an empty profile in a folder of the test.

    Args:
        profile: folder of the profile, created if it does not exist.
        width: width of the page, px.
        height: height of the page, px.
        dark: whether the browser asks for dark pages.
    """
    require_chromium()
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    try:
        wear(driver, width=width, height=height, dark=dark)
        yield driver
    finally:
        driver.quit()


def wear(driver, *, width, dark, height=900):
    """Gives the browser the width and height of a page, in px, and a colour scheme."""
    # The window itself cannot be as narrow as a phone.
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def require_chromium():
    """Skips the test if there is no browser; in CI the test fails."""
    missing = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]
    if missing:
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse(f"{' and '.join(missing)} not found: apt-get install chromium chromium-driver")


def complaints(driver):
    """Returns the errors that the page has written to the console since the last call."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def screenshot(driver, path):
    """Writes the whole page, not only the visible part, as a PNG file."""
    size = driver.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    shot = driver.execute_cdp_cmd(
        "Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip}
    )
    path.write_bytes(base64.b64decode(shot["data"]))
