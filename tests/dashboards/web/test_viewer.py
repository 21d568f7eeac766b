"""Tests of the viewer of samples in real Chromium: each image pixel is some whole screen pixels."""

import contextlib
import hashlib
from http.server import BaseHTTPRequestHandler

import numpy as np
import pytest
import torch
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from dashboards.live.newest import Pictured
from dashboards.web import pages
from dashboards.web.pages import asset, css
from scorelib.pictures import grid_png
from tests.browser import NARROW, WIDE, answering, chromium, complaints, wear

GAP = 2
PAGE = """<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><style>{{ style }}</style></head><body>
{% from "viewer.html" import viewer %}{{ viewer("", shown, along, steps) }}
<script>{{ script }}</script></body></html>"""
DRAWN = """
const [done] = [...arguments].slice(-1), canvas = document.querySelectorAll("canvas")[arguments[0]];
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
crypto.subtle.digest("SHA-256", data).then((found) => done([canvas.width, canvas.height,
  [...new Uint8Array(found)].map((byte) => byte.toString(16).padStart(2, "0")).join("")]));
"""


def images(n, side, channels, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, channels, side, side), np.uint8)


def stored(of, columns):
    return grid_png(torch.from_numpy(of).float() / 255, columns)


def drawn(of, columns, zoom):
    """Returns the pixels (height, width, 4) of images in a grid, without `grid_png`."""
    n, channels, side, _ = of.shape
    step, rows = side * zoom + GAP, -(-n // columns)
    shown = np.zeros((rows * step - GAP, columns * step - GAP, 4), np.uint8)
    for place, image in enumerate(of):
        y, x = (place // columns) * step, (place % columns) * step
        big = image.transpose(1, 2, 0).repeat(zoom, 0).repeat(zoom, 1)
        shown[y : y + side * zoom, x : x + side * zoom, :3] = big if channels == 3 else big[..., :1]
        shown[y : y + side * zoom, x : x + side * zoom, 3] = 255
    return shown


def digest(pixels):
    height, width = pixels.shape[:2]
    return [width, height, hashlib.sha256(np.ascontiguousarray(pixels)).hexdigest()]


@contextlib.contextmanager
def served(files, **values):
    """Yields the address of a page with a viewer of pictures that lie beside the page."""
    page = pages._PAGES.from_string(PAGE).render(
        style=css() + asset("live.css"), script=asset("viewer.js"), **values
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            data = files.get(self.path.rpartition("/")[2], page.encode())
            self.send_response(200)
            self.send_header("Content-Type", "image/png" if ".png" in self.path else "text/html")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with answering(Handler) as address:
        yield f"{address}/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("viewer") / "profile") as made:
        yield made


def shown(browser, pixels, canvas=0):
    """Waits until a canvas of the page shows pixels."""
    wanted, found = digest(pixels), []

    def is_there(_):
        found[:] = browser.execute_async_script(DRAWN, canvas)
        return found == wanted

    WebDriverWait(browser, 20).until(lambda _: browser.find_elements(By.TAG_NAME, "canvas"))
    WebDriverWait(browser, 20).until(is_there, f"{found} is not {wanted}")


def zoom_to(browser, zoom):
    browser.execute_script(
        "const s = document.querySelector('select'); s.value = arguments[0];"
        "s.dispatchEvent(new Event('change'))", str(zoom),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("side", "channels", "first", "zooms"),
    # 20 pixels are stored three times enlarged: no zoom is a whole multiple of the stored size.
    [(8, 3, 8, (1, 3, 16)), (20, 1, 3, (1, 2, 8)), (256, 3, 1, (2, 4))],
)
def test_images_of_8_to_256_pixels_are_shown_pixel_by_pixel(browser, side, channels, first, zooms):
    raw, denoised = images(4, side, channels), images(4, side, channels, seed=1)
    files = {"raw.png": stored(raw, 2), "denoised.png": stored(denoised, 2)}
    cell = Pictured("a cell", "", "chunk", "k", ("raw", "denoised"), "", (side, side))
    wear(browser, width=WIDE, dark=False)
    with served(files, shown=[cell]) as page:
        browser.get(page)
        shown(browser, drawn(raw, 2, first))  # the largest zoom with small and whole images
        for zoom in zooms:
            zoom_to(browser, zoom)
            for number, of in enumerate((raw, denoised)):
                whole = drawn(of, 2, zoom)
                seen = browser.execute_script(
                    "const pane = document.querySelectorAll('.pane')[arguments[0]];"
                    "return [pane.clientWidth, pane.clientHeight]", number,
                )  # fmt: skip
                shown(browser, whole[: seen[1], : seen[0]], number)
        assert complaints(browser) == []


def test_raw_and_denoised_images_show_the_same_part(browser):
    raw, denoised = images(4, 256, 3), images(4, 256, 3, seed=1)
    files = {"raw.png": stored(raw, 2), "denoised.png": stored(denoised, 2)}
    cell = Pictured("a cell", "", "chunk", "k", ("raw", "denoised"), "", (256, 256))
    for width in (WIDE, NARROW):
        wear(browser, width=width, dark=False)
        with served(files, shown=[cell]) as page:
            browser.get(page)
            shown_first = lambda _: len(browser.find_elements(By.TAG_NAME, "canvas")) == 2  # noqa: E731
            WebDriverWait(browser, 20).until(shown_first)
            zoom_to(browser, 4)
            browser.execute_script("document.querySelector('.pane').scrollTo(700, 900)")
            wide, high = browser.execute_script(
                "const p = document.querySelector('.pane'); return [p.clientWidth, p.clientHeight]"
            )
            for number, of in enumerate((raw, denoised)):
                part = drawn(of, 2, 4)[900 : 900 + high, 700 : 700 + wide]
                shown(browser, part, number)
            read = "return [document.documentElement.scrollWidth, innerWidth]"
            assert len(set(browser.execute_script(read))) == 1, "the page itself scrolls"


def test_frames_along_the_chain_are_shown_one_by_one_from_the_keyboard(browser):
    n_images, n_frames = 3, 4
    chain = images(n_images * n_frames, 8, 1)  # row by row: the frames of each image
    cell = Pictured("chain", "", "frames", "k", ("frames",), "", (8, 8))
    steps = [f"sigma {n}" for n in range(n_frames)]
    wear(browser, width=NARROW, dark=True)
    files = {"frames.png": stored(chain, n_frames)}
    with served(files, shown=[cell], steps=steps, along="noise levels") as page:
        browser.get(page)
        body, label = browser.find_element(By.TAG_NAME, "body"), None
        for frame in (0, 1, 2, 3, 2):
            of = chain.reshape(n_images, n_frames, 1, 8, 8)[:, frame]
            shown(browser, drawn(of, n_images, 8))
            label = browser.find_element(By.TAG_NAME, "figcaption").text
            assert label == f"sigma {frame}"
            body.send_keys(Keys.ARROW_LEFT if frame == 3 else Keys.ARROW_RIGHT)
        zoom = browser.find_element(By.TAG_NAME, "select")
        before = zoom.get_attribute("value")
        body.send_keys("+")
        assert int(zoom.get_attribute("value")) > int(before)
        # The slider says what it moves, and the canvas what it shows.
        assert browser.find_element(By.CSS_SELECTOR, "label input").accessible_name
        assert browser.find_element(By.TAG_NAME, "canvas").accessible_name == "frames: chain"
