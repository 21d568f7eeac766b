"""Tests of the served page: it follows a study to its end and links to MLflow and Optuna."""

import contextlib
import http.client
import itertools
import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from dashboards.live.store import LiveStore
from dashboards.live.study import LiveStudy
from dashboards.live.tables import live_table
from dashboards.records.projections import Projections
from dashboards.results.cells import read_study
from dashboards.serve import main
from dashboards.web.routes import handler
from dashboards.web.site import Place, Site
from studies.opening.open_study import record_last_run
from studies.registry import find_study
from tests.browser import NARROW, WIDE, answering, chromium, complaints, wear
from tests.miniature import miniature_settings, miniature_study
from tests.ports import free_ports
from tests.tuning.draining import drain
from tests.tuning.quadratic import space
from tests.tuning.quadratic import study as bowls
from tuning.drivers.driver import Driver
from tuning.drivers.lock import StudyLock
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.history import note_start, put_status
from tuning.store.store import Store

NAME = "cifar_sampling_eps-demo"
WAIT_SECONDS = 90
STORES = []  # of the server that tests share
STATUS = {
    "date": "2026-11-29T12:00:05+00:00", "started": "2026-11-29T12:00:00+00:00",
    "stages": [{"stage": "train", "done": 0, "jobs": 2, "per_minute": 2.5, "seconds_left": 60.0,
                "is_estimate": False}],
    "running": [{"job": "train x", "done": 3, "total": 7, "unit": "steps"}], "searches": [],
    "failures": [{"job": "train y", "stage": "train", "key": "k", "cause": "no luck",
                  "then": "given up"}],
    "n_failures": 1, "gpus": [0.5, 2.0], "seconds_left": 90.0, "is_estimate": False,
}  # fmt: skip
"""A status as a launch on another machine might write it."""


@contextlib.contextmanager
def serving(store, *options, errors=None):
    """Yields the server in a separate process, its address and those of its child servers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboards.serve", "--store", store.url, *options],
        stdout=subprocess.PIPE, stderr=errors, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        lines = [process.stdout.readline() for _ in range(3)]
        yield process, [re.search(r"http://127\.0\.0\.1:\d+/", line)[0] for line in lines]
    finally:
        process.terminate()
        process.wait(60)


def answer(address, path="/", host=None):
    """Returns the status and the text of the answer to a request."""
    place = address.removeprefix("http://").rstrip("/")
    connection = http.client.HTTPConnection(place, timeout=60)
    connection.request("GET", path, headers={"Host": host} if host else {})
    response = connection.getresponse()
    return response.status, response.read().decode()


def listens(address):
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def test_it_follows_a_study_cell_by_cell_and_leads_to_mlflow(tmp_path):
    store = Store(str(tmp_path / "store"), create=True)
    settings = miniature_settings(projections__frames="4", projections__nearest="3")
    study = find_study("cifar_sampling_eps").study("demo", settings)
    with (
        serving(store) as (process, (page, mlflow, optuna)),
        chromium(tmp_path / "profile", width=1280) as browser,
    ):
        wait = WebDriverWait(browser, WAIT_SECONDS)
        browser.get(page)

        def shown(text):
            wait.until(lambda _: text in browser.find_element(By.TAG_NAME, "body").text)

        shown("No study was run on this store yet")
        shown("MLflow: waits for mlflow.db")
        shown("Not run yet (")
        record_last_run(store, study)
        shown("not running")
        shown("0 of 4 cells, 0 of ")
        browser.get(f"{page}1/{NAME}")
        shown(study.question)
        browser.execute_script("window.kept = document.querySelector('#table table')")
        driver = Driver(store)
        with driver, StudyLock(driver, NAME):
            note_start(store, NAME, "c" * 40, {"seeds": "1 -> 2"})
            put_status(store, NAME, STATUS)
            for text in ("0.5 of 2 GPUs in use", "1m30s", "train x: 3 of 7 steps", "no luck",
                         "given up after three attempts", "cccccccccc",
                         "seeds: 1 -> 2"):  # fmt: skip
                shown(text)
            while drain(study, store, most=40):
                table = live_table(read_study(Scheduler(study, store), store))
                cells = [(c.state, c.text) for _, row in table.rows for c in row if c]
                wait.until(lambda _, cells=cells: cells_of(browser) == cells)
                shown(f"process {os.getpid()}")
            with Projections(Scheduler(study, store), store, None) as projections:
                pass
            assert projections.failures == []
        shown("4 of 4 cells")
        wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, "#main > div > p > .done"))
        has_drawn = (
            "return [...document.querySelectorAll('.chart .plot')].some(p => p.dataset.drawn)"
        )
        browser.execute_script("document.getElementById('figures').scrollIntoView()")
        wait.until(lambda _: browser.execute_script(has_drawn))
        assert browser.execute_script("return window.kept.isConnected"), "the table was replaced"
        pauses_are_long(browser)
        assert complaints(browser) == []

        wait.until(lambda _: listens(mlflow) and listens(optuna))
        # In one call: the page may replace its content in between.
        read = "return Object.fromEntries([...document.querySelectorAll('nav a')]" \
            ".map((a) => [a.textContent, a.href]))"  # fmt: skip
        wait.until(lambda _: len(browser.execute_script(read)) == 6)
        links = browser.execute_script(read)
        assert answer(page, f"/1/{NAME}/report")[0] == 200
        fits_every_width(browser, wait, page)
        titles_overlap_nothing(browser, wait, page)
        lists_the_cells(browser, wait, page)
        look_at_a_cell(browser, wait, page, read_study(Scheduler(study, store), store).cells[0])
        look_at_mlflow(browser, wait, links, read_study(Scheduler(study, store), store).cells)
        browser.get(links["searches in optuna-dashboard"])
        name = "cas n_sigma=1, non-adversarial · cifar_sampling_eps demo"
        wait.until(lambda _: name in browser.find_element(By.TAG_NAME, "body").text)
        wait.until(lambda _: browser.find_elements(By.ID, "back"))
        lines = "return [...document.querySelectorAll('.of-study')].map(e => e.textContent)"
        wait.until(lambda _: len(browser.execute_script(lines)) == 5)
        view = read_study(Scheduler(study, store), store)
        best = view.runs["cas n_sigma=1, non-adversarial"].winner.value
        assert f"best fd_denoised {best:.4g}page of the study" in browser.execute_script(lines)
        pages = browser.find_elements(By.CSS_SELECTOR, ".of-study a")
        assert {found.get_attribute("href") for found in pages} == {f"{page}1/{NAME}"}
        browser.get(f"{optuna}dashboard/studies/1")
        wait.until(lambda _: browser.find_element(By.ID, "back").text == f"back to {NAME}")
        browser.find_element(By.ID, "back").click()
        wait.until(lambda _: browser.current_url == f"{page}1/{NAME}")

        refuses_other_sites(mlflow, page)
        leads_only_to_what_is_there(browser, wait, page, store, shown)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not any(map(listens, (page, mlflow, optuna)))


def cells_of(browser):
    """Returns the state and the text of each cell of the table on the page."""
    read = "return [...document.querySelectorAll('#table td[class]')]" \
        ".map((td) => [td.className, td.querySelector('a').textContent])"  # fmt: skip
    return [tuple(cell) for cell in browser.execute_script(read)]


def pauses_are_long(browser):
    """Checks that the page has asked for news at least twice, and never faster than every 2 s."""
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').filter(e => e.name.endsWith('/live'))"
        ".map(e => e.startTime)"
    )
    assert len(asked) > 2 and min(b - a for a, b in itertools.pairwise(asked)) >= 2000


def fits_every_width(browser, wait, page):
    """Checks that the pages fit a phone and a laptop, follow the scheme and have no errors."""
    paths = ("", f"1/{NAME}", f"1/{NAME}/cell/0", f"1/{NAME}/search/1")
    for path, (width, dark) in itertools.product(paths, ((NARROW, True), (WIDE, False))):
        wear(browser, width=width, dark=dark)
        browser.get(f"{page}{path}")
        read = "return [document.documentElement.scrollWidth, innerWidth," \
            "getComputedStyle(document.body).backgroundColor]"  # fmt: skip
        shown, inner, paper = browser.execute_script(read)
        assert shown <= inner == width, path
        assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 180) == dark
        images = browser.find_elements(By.CSS_SELECTOR, "img")
        assert all(image.get_attribute("alt") for image in images)
        reached = browser.find_elements(
            By.CSS_SELECTOR, "a, button, input, select, summary, canvas, [role=img], [tabindex='0']"
        )
        assert all(place.accessible_name for place in reached if place.is_displayed()), path
    assert complaints(browser) == []


OVERLAPS = """
const overlapping = [], box = (e) => e.getBoundingClientRect();
for (const plot of document.querySelectorAll(".plot[data-drawn]")) {
  const find = (what) => [...plot.querySelectorAll(what)].filter((e) => box(e).width > 0);
  const titles = find("[class^=g-x][class$=title], [class^=g-y][class$=title], " +
    ".annotation-text, .legend .bg, .colorbar .cbbg");
  const others = [...new Set([...titles, ...find(".nsewdrag, .xtick text, .ytick text")])];
  for (const [n, title] of titles.entries()) {
    for (const other of others.slice(n + 1)) {
      const [a, b] = [box(title), box(other)];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 1 && high > 1) {
        overlapping.push([plot.getAttribute("aria-label"), title.textContent, other.textContent]);
      }
    }
  }
}
return overlapping;
"""


def titles_overlap_nothing(browser, wait, page):
    """Checks that no title of an axis, and no legend, covers a curve or another text."""
    drawn = "return [document.querySelectorAll('.plot').length," \
        "document.querySelectorAll('.plot[data-drawn]').length]"  # fmt: skip
    wear(browser, width=NARROW, dark=False, height=9000)  # all charts are in view
    browser.get(f"{page}1/{NAME}")
    wait.until(lambda _: (of := browser.execute_script(drawn))[0] == of[1] > 8)
    assert browser.execute_script(OVERLAPS) == []
    wear(browser, width=WIDE, dark=False)


def lists_the_cells(browser, wait, page):
    """Checks that a phone shows the names of the cells beside any column of their list."""
    wear(browser, width=NARROW, dark=True)
    browser.get(f"{page}1/{NAME}")
    click(browser, wait, "#cells summary")
    scroll = "const of = document.querySelector('.list');" \
        "of.scrollIntoView(); of.scrollLeft = of.scrollWidth; return of.scrollLeft"  # fmt: skip
    assert browser.execute_script(scroll) > 0
    read = SEEN + "return [...document.querySelectorAll(arguments[0])].filter(seen)" \
        ".map((e) => e.textContent)"  # fmt: skip
    rows = ["ALS n=1", "ALS n=5", "CAS n=1", "CAS n=5"]
    wait.until(lambda _: browser.execute_script(read, ".list tbody a") == rows)
    assert browser.execute_script(read, ".list th:last-child") == ["within_noise_to"]
    assert complaints(browser) == []
    wear(browser, width=WIDE, dark=False)


def look_at_a_cell(browser, wait, page, cell):
    """Checks that a number of the table leads to its seeds, spec, samples, trials and run."""
    browser.get(f"{page}1/{NAME}")
    wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, "#table td.done a"))
    browser.find_element(By.CSS_SELECTOR, "#table td.done a").click()
    body = browser.find_element(By.TAG_NAME, "body").text
    for number in cell.measured.values():
        assert all(f"{value:.6g}" in body for value in number.values)
    for part in (cell.scores[0].key, f"sample.seed\n{cell.sample.seed}", "sampler.epsilon"):
        assert part in body
    viewers = ("samples", "frames", "nearest")
    wait.until(
        lambda _: [
            len(browser.find_elements(By.CSS_SELECTOR, f"#{of} canvas")) for of in viewers
        ] == [2, 1, 1]
    )  # fmt: skip
    assert "held-out images have" in body
    frames = [browser.find_element(By.CSS_SELECTOR, "#frames figcaption").text]
    for _ in range(3):
        browser.find_element(By.TAG_NAME, "body").send_keys(Keys.ARROW_RIGHT)
        frames.append(browser.find_element(By.CSS_SELECTOR, "#frames figcaption").text)
    sigmas = [float(re.fullmatch(r"\d of 4: sigma (.*)", text)[1]) for text in frames]
    assert sigmas == sorted(set(sigmas), reverse=True) and len(sigmas) == 4
    run = browser.find_element(By.LINK_TEXT, "run in MLflow").get_attribute("href")
    browser.find_element(By.PARTIAL_LINK_TEXT, "search ").click()
    slider = wait.until(lambda _: browser.find_element(By.CSS_SELECTOR, "[data-viewer] input"))
    shown = ".viewer figure:not([hidden]) figcaption"
    texts = [browser.find_element(By.CSS_SELECTOR, shown).text]
    for _ in range(2):
        slider.send_keys(Keys.ARROW_RIGHT)
        texts.append(browser.find_element(By.CSS_SELECTOR, shown).text)
    epsilons = [float(re.fullmatch(r"trial \d: epsilon (.*)", text)[1]) for text in texts]
    assert epsilons == sorted(set(epsilons)) and len(epsilons) == 3
    drawn = ".viewer figure:not([hidden]) canvas"
    canvas = wait.until(lambda _: browser.find_element(By.CSS_SELECTOR, drawn))
    assert canvas.accessible_name == f"raw: {texts[-1]}"
    before = canvas.get_property("width")
    browser.find_element(By.TAG_NAME, "body").send_keys("-")
    wait.until(lambda _: 0 < canvas.get_property("width") < before)
    assert complaints(browser) == []
    browser.get(run)
    wait.until(lambda _: "fd_denoised" in browser.find_element(By.TAG_NAME, "body").text)
    assert "/runs/" in browser.current_url


def leads_only_to_what_is_there(browser, wait, page, store, shown):
    """Checks that a page that MLflow does not hold is no link, and how it is written is said."""
    with contextlib.closing(sqlite3.connect(store.folder / "mlflow.db")) as database, database:
        # as older code has left the database
        database.execute("DELETE FROM experiment_tags WHERE key LIKE '%.compare-demo'")
    browser.get(f"{page}1/{NAME}")
    shown("not in MLflow yet: compare cells; to write: python -m dashboards.sync --store ")
    titles = "return [...document.querySelectorAll('nav a')].map((a) => a.textContent)"
    assert "trials" in browser.execute_script(titles)
    assert "compare cells" not in browser.execute_script(titles)
    assert answer(page, f"/1/{NAME}/compare")[0] == 404


def refuses_other_sites(mlflow, page):
    """Checks that MLflow answers no foreign name, and takes changes from this machine's pages."""
    assert answer(mlflow)[0] == 200 and answer(mlflow, host="evil.example")[0] == 403
    place, path = mlflow.removeprefix("http://").rstrip("/"), "/api/2.0/mlflow/experiments/create"
    ours = ((address.rstrip("/"), 200) for address in (mlflow, page))
    for origin, expected in (("http://evil.example", 403), *ours):
        connection = http.client.HTTPConnection(place, timeout=60)
        headers = {"Origin": origin, "Content-Type": "application/json"}
        connection.request("POST", path, body=f'{{"name": "{origin}"}}', headers=headers)
        assert connection.getresponse().status == expected


SEEN = """
const seen = (e) => { // whole, and not covered: MLflow cuts and covers what has no room
  const box = e.getBoundingClientRect();
  return box.left >= 0 && box.right <= innerWidth && [box.left + 8, box.right - 8].every(
    (x) => e.contains(document.elementFromPoint(x, (box.top + box.bottom) / 2)));
};
"""


def look_at_mlflow(browser, wait, links, cells):
    """Checks MLflow's list of cells and its comparison, on a laptop and on a phone."""
    rows = ["ALS n=1", "ALS n=5", "CAS n=1", "CAS n=5"]
    compared = ["sampler", "n_sigma", "epsilon", "r", "ema", "iteration", "fd", "fd_denoised"]
    differ = ["sampler", "n_sigma", "fd", "fd_denoised"]  # ema and iteration are equal
    numbers = [repr(cell.measured["denoised"].mean)[:7] for cell in cells]
    browser.get(links["trainings"])
    close = "[data-component-id='mlflow.assistant.chat_panel.close']"
    click(browser, wait, close)
    shows(browser, wait, "dsm_loss", "iteration", "2 matching runs")
    for width, dark in ((WIDE, True), (NARROW, False)):
        open_in_mlflow(browser, wait, links["cells in MLflow"], width, dark)
        shows(browser, wait, "4 matching runs", *(numbers if width == WIDE else ()))
        assert "tags.kind" in browser.current_url
        wait.until(lambda _: names_seen(browser) == rows)
        reaches_columns(browser, wait, compared, most=1 if width == WIDE else 30)
        open_in_mlflow(browser, wait, links["compare cells"], width, dark)
        shows(browser, wait, "4 matching runs")
        wait.until(lambda _: names_seen(browser) == rows)
        if width == NARROW:  # the list has all the room until it is folded
            click(
                browser, wait, "[data-component-id='mlflow.experiment_page.table_resizer.collapse']"
            )
        shows(browser, wait, "Comparison of the cells", "Parallel Coordinates")
        axes = "return [...document.querySelectorAll('.parcoords .label')]" \
            ".filter((e) => e.getBoundingClientRect().left < innerWidth)" \
            ".map((e) => e.textContent)"  # fmt: skip
        wait.until(lambda _, axes=axes: browser.execute_script(axes) == differ)
    # MLflow asks for an account that a server without accounts does not have.
    own = ("mlflow/users/current", "ResizeObserver loop")
    assert [text for text in complaints(browser) if not any(part in text for part in own)] == []
    wear(browser, width=WIDE, dark=False)


def open_in_mlflow(browser, wait, link, width, dark):
    """Opens a page of MLflow; on a phone, its menu is folded with the button for that."""
    # MLflow keeps the scheme of the first visit.
    browser.execute_script("localStorage.removeItem('_mlflow_dark_mode_toggle_enabled')")
    wear(browser, width=width, dark=dark)
    browser.get(link)
    if width == NARROW:
        click(browser, wait, "[aria-label='Toggle sidebar']")
    has_scheme = "return document.body.classList.contains('dark-mode')"
    wait.until(lambda _: browser.execute_script(has_scheme) == dark)


def click(browser, wait, selector):
    wait.until(lambda _: browser.find_elements(By.CSS_SELECTOR, selector))
    browser.execute_script("document.querySelector(arguments[0]).click()", selector)


def shows(browser, wait, *parts):
    """Waits until a page shows some texts."""
    body = "return document.body.innerText"
    wait.until(lambda _: all(part in browser.execute_script(body) for part in parts))


def names_seen(browser):
    """Returns the names of runs that can be read without scrolling sideways."""
    links = "return [...document.querySelectorAll('.ag-row a[href*=\"/runs/\"]')]"
    return browser.execute_script(f"{SEEN}{links}.filter(seen).map((e) => e.textContent)")


def reaches_columns(browser, wait, expected, most):
    """Checks that scrolling sideways shows some columns of MLflow's list, in their order.

    Args:
        browser: browser that shows the list.
        wait: waits for a condition.
        expected: names of the columns from left to right.
        most: most steps of 60 px.
    """
    read = SEEN + "return [...document.querySelectorAll('[role=columnheader][col-id*=\"`\"]')]" \
        ".filter(seen).sort((a, b) => a.getBoundingClientRect().left" \
        " - b.getBoundingClientRect().left)" \
        ".map((e) => e.getAttribute('col-id').split('`')[1])"  # fmt: skip
    scroll = (
        "document.querySelector('.ag-body-horizontal-scroll-viewport').scrollLeft = arguments[0]"
    )
    wait.until(lambda _: browser.execute_script(read))
    found = {}
    for step in range(most):
        browser.execute_script(scroll, 60 * step)
        found |= dict.fromkeys(browser.execute_script(read))
    assert [name for name in found if name != "Run Name"][: len(expected)] == expected


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Returns a server of a study that has just begun, its addresses and the ports given to it."""
    folder = tmp_path_factory.mktemp("serve")
    store = Store(str(folder / "store"), create=True)
    record_last_run(store, miniature_study())
    STORES.append(store.url)
    (store.folder / "optuna.db").write_text("no database")
    first, mlflow, *_, optuna = free_ports(5)
    given = "--port", str(first), "--optuna-port", str(optuna)
    with (
        (folder / "errors").open("w") as errors,
        serving(store, *given, errors=errors) as (process, addresses),
    ):
        yield process, addresses, (first, mlflow, optuna)
    assert (folder / "errors").read_text() == "", "something was printed on the terminal"


@pytest.fixture(scope="module")
def address(server):
    """Returns the addresses of the server and its child servers."""
    return server[1]


def test_other_host_names_and_other_paths_are_refused(address):
    page, *_ = address
    port = page.rstrip("/").rpartition(":")[2]
    assert answer(page)[0] == answer(page, host=f"localhost:{port}")[0] == 200
    assert answer(page, host="localhost:9")[0] == 200, "through a tunnel, the port is another one"
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example"):
        status, text = answer(page, host=host)
        assert status == 403 and f"must begin with http://127.0.0.1:{port} or " in text
    for path in ("/1/none-demo/report", "/1/../store.json", "/store.json", "/1/", "/x/y/z",
                 f"/1/{NAME}/..", "/1/none-demo/cells", f"/1/{NAME}/cells", f"/2/{NAME}",
                 f"/1/{NAME}/cell/99", f"/1/{NAME}/picture/score/{'0' * 32}/raw.png",
                 f"/1/{NAME}/picture/train/{'0' * 32}/weights.safetensors", "/static/base.css",
                 "/1/offers/none", f"/1/{NAME}/mlflow/x'%20or%20'a'%20='a"):  # fmt: skip
        status, text = answer(page, path)
        assert status == 404, path
        assert text == "there is no such page, or it has no results yet: start from the page /\n"
    assert "missing: 4 of 4 cells" in answer(page, f"/1/{NAME}/report")[1]


@pytest.mark.parametrize(
    ("request_line", "status"), [("GET *", 404), ("GET nothing", 404), ("OPTIONS *", 501)]
)
def test_odd_requests_are_answered(address, request_line, status):
    place = address[0].removeprefix("http://").rstrip("/")
    host, port = place.split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(f"{request_line} HTTP/1.0\r\nHost: {place}\r\n\r\n".encode())
        assert connection.recv(100).split()[1] == str(status).encode()
    with socket.create_connection((host, int(port))) as connection:  # leaves before the answer
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(f"GET /1/{NAME} HTTP/1.0\r\nHost: {place}\r\n\r\n".encode())


def test_a_silent_connection_is_given_up(monkeypatch):
    monkeypatch.setattr("dashboards.web.hosts.QuietHandler.timeout", 0.1)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(Site([]))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with socket.create_connection(server.server_address, timeout=60) as connection:
            connection.sendall(b"GET / HT")
            assert connection.recv(100) == b""  # the server has closed the connection
        server.shutdown()
        thread.join()


def served(*places):
    """Returns the context of a server in this process, which is the address of the server."""
    return answering(handler(Site(places)))


def test_no_request_changes_a_store_that_two_pages_show(address, store):
    shown = Store(STORES[-1])
    record_last_run(store, miniature_study(seeds="2"))
    paths = ("/", "/live", f"/1/{NAME}", f"/1/{NAME}/live", f"/1/{NAME}/cell/0",
             f"/1/{NAME}/search/0", f"/1/{NAME}/figures",
             "/1/offers/noise_consistency")  # fmt: skip
    places = [Place(n, LiveStore(s, ""), None) for n, s in enumerate((shown, store), start=1)]
    before = contents(shown), contents(store)
    with served(*places) as other:
        assert [answer(other, path)[0] for path in paths] == [200] * len(paths)
        assert answer(other, f"/2/{NAME}")[0] == 200
        text = answer(other)[1]
        assert all(s.url in text for s in (shown, store)) and text.count(f"{NAME}</a>") == 2
        compared = f"/compare/1/{NAME}/2/{NAME}"
        assert f'href="{compared}"' in answer(other, f"/1/{NAME}")[1]
        status, text = answer(other, compared)
        assert status == 200 and "Settings that differ" in text and ">seeds</th>" in text
        assert [answer(address[0], path)[0] for path in paths] == [200] * len(paths)
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            for path in paths:
                place = other.removeprefix("http://")
                connection = http.client.HTTPConnection(place, timeout=60)
                connection.request(method, path, body="{}")
                assert connection.getresponse().status == 501
    after = contents(shown), contents(store)
    assert after == before


def contents(store):
    """Returns the content of each file of a store, without the databases of the child servers."""
    files = (f for f in store.folder.rglob("*") if f.is_file() and f.suffix == ".json")
    return {str(file): file.read_bytes() for file in files}


def test_a_page_that_has_not_changed_is_not_sent_again(address):
    place = address[0].removeprefix("http://").rstrip("/")
    statuses, headers = [], {}
    for _ in range(2):
        connection = http.client.HTTPConnection(place, timeout=60)
        connection.request("GET", "/static/live.js", headers=headers)
        response = connection.getresponse()
        headers = {"If-None-Match": response.headers["ETag"]}
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]
        statuses.append((response.status, len(response.read()) > 0))
    assert statuses == [(200, True), (304, False)]


def test_the_page_of_a_study_with_a_thousand_trials_is_there_in_two_seconds(store):
    study = bowls(space("random", round_size=500), 1000)
    scheduler = Scheduler(study, store)
    while (job := scheduler.next_job()) not in list(Wait):
        store.commit(job.stage, job.key, spec={}, result={"value": job.x**2}, cost={}, files={})
        scheduler.report_stored(job.key)

    live = LiveStudy(study, store, Driver(store))

    class OneStudy(LiveStore):
        def studies(self):
            return [live], {}

    with served(Place(1, OneStudy(store, ""), None)) as page:
        started = time.monotonic()
        status, text = answer(page, f"/1/{study.id}")
        first = time.monotonic() - started
        assert status == 200
        deadline = time.monotonic() + WAIT_SECONDS
        while "1000 of 1000" not in text or ">bowl<" not in text:
            assert time.monotonic() < deadline
            text = answer(page, f"/1/{study.id}/live")[1]
        whole = time.monotonic() - started
        started = time.monotonic()
        assert answer(page, f"/1/{study.id}/search/0")[1].count('id="trial-') == 1000
        last = time.monotonic() - started
        # On a busy machine everything takes longer, also the reading of all trials.
        assert max(first, last) < max(2, whole / 2), (first, whole, last)


def test_the_ports_can_be_given(server, store, capsys):
    process, addresses, ports = server
    assert addresses == [f"http://127.0.0.1:{port}/" for port in ports]
    tunnel = " ".join(f"-L {port}:127.0.0.1:{port}" for port in ports)
    line = process.stdout.readline()
    assert line.endswith(f": ssh -N {tunnel} {socket.gethostname()}\n")
    *_, taken = free_ports(3)
    with socket.create_server(("127.0.0.1", taken)):
        assert main(["--store", store.url, "--port", str(taken - 2)]) == 2
        assert f"each port must be free and below 65536; {taken}: " in capsys.readouterr().err


def test_a_child_that_cannot_start_is_said_so_with_the_cure(address):
    page, *_ = address
    deadline = time.monotonic() + WAIT_SECONDS
    while "optuna-dashboard: cannot start" not in (text := answer(page, "/live")[1]):
        assert time.monotonic() < deadline, text
        time.sleep(0.2)
    assert "searches in optuna-dashboard" not in text
    assert re.search(r"file is not a database: delete .*optuna\.db, which only shows", text)


def test_a_busy_or_impossible_port_is_refused_in_one_line(address, tmp_path, capsys):
    store = Store(str(tmp_path / "store"), create=True)
    for port in (address[0].rstrip("/").rpartition(":")[2], "70000"):
        assert main(["--store", store.url, "--port", port]) == 2
        error = capsys.readouterr().err
        assert re.fullmatch(rf"error: each port must be free and below 65536; {port}: .*\n", error)
    assert main(["--store", str(tmp_path / "none")]) == 2
    assert "must be a store" in capsys.readouterr().err
