"""Tests of the served page: it follows a study to its end and links to MLflow and Optuna."""

import contextlib
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from dashboards.records.projections import Projections
from dashboards.results.cells import read_study
from dashboards.serve import main
from studies.opening.open_study import record_last_run
from tests.browser import chromium, complaints
from tests.miniature import miniature_study
from tests.tuning.draining import drain
from tuning.drivers.driver import Driver
from tuning.drivers.lock import StudyLock
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

NAME = "cifar_sampling_eps-demo"
WAIT_SECONDS = 90


@contextlib.contextmanager
def serving(store):
    """Yields the server in a separate process, its address and those of its child servers."""
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboards.serve", "--store", store.url],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
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


def test_it_follows_a_study_from_nothing_to_done_and_leads_to_mlflow(tmp_path):
    store, study = Store(str(tmp_path / "store"), create=True), miniature_study()
    with (
        serving(store) as (process, (page, mlflow, optuna)),
        chromium(tmp_path / "profile", width=1600) as browser,
    ):
        wait = WebDriverWait(browser, WAIT_SECONDS)
        browser.get(page)

        def shown(text):
            wait.until(lambda _: text in browser.find_element(By.TAG_NAME, "body").text)

        shown("No study was run on this store yet")
        shown("MLflow: waits for mlflow.db")
        record_last_run(store, study)
        shown("not running")
        assert re.search(r"\b0 of \d+ jobs, 0 of 4 cells", browser.page_source)
        driver = Driver(store)
        with driver, StudyLock(driver, NAME):
            done = 0
            while step := drain(study, store, most=25):
                done += len(step)
                # Winners that are also trials make the plan's total slightly too large until then.
                shown(f"{done} of ")
                if len(step) == 25:
                    shown(f"process {os.getpid()}")
            with Projections(Scheduler(study, store), store, None) as projections:
                pass
            assert projections.failures == []
        shown("done")
        shown("4 of 4 cells")
        assert complaints(browser) == []

        wait.until(lambda _: listens(mlflow) and listens(optuna))
        # In one call: the page may replace its content in between.
        read = "return Object.fromEntries([...document.querySelectorAll('nav a')]" \
            ".map((a) => [a.textContent, a.href]))"  # fmt: skip
        wait.until(lambda _: len(browser.execute_script(read)) == 6)
        links = browser.execute_script(read)
        assert answer(page, f"/report/{NAME}")[0] == 200
        look_at_mlflow(browser, wait, links, read_study(Scheduler(study, store), store).cells)
        browser.get(links["searches in optuna-dashboard"])
        wait.until(lambda _: "cas n_sigma=1, non-adversarial" in browser.page_source)

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not any(map(listens, (page, mlflow, optuna)))


def look_at_mlflow(browser, wait, links, cells):
    """Checks that MLflow's prepared view shows all cells, and its comparison all runs."""

    def body(_):
        text = browser.find_element(By.TAG_NAME, "body").text
        return text if all(part in text for part in wanted) else False

    numbers = [repr(cell.measured["denoised"].mean)[:7] for cell in cells]
    wanted = ["fd_denoised", "epsilon", "4 matching runs", *numbers]
    browser.get(links["cells in MLflow"])
    wait.until(body)
    assert "tags.kind" in browser.current_url
    rows = [f"Table 1: {cell.cell.row}" for cell in cells]
    wanted = ["dsm_loss", "iteration", "2 matching runs"]
    browser.get(links["trainings"])
    wait.until(body)
    wanted = ["Comparing 4 Runs", "fd_denoised", *rows]
    browser.get(links["compare cells"])
    wait.until(body)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Returns the address of a server of a study that has just begun."""
    store = Store(str(tmp_path_factory.mktemp("serve") / "store"), create=True)
    record_last_run(store, miniature_study())
    (store.folder / "optuna.db").write_text("no database")
    with serving(store) as (_, addresses):
        yield addresses


def test_other_host_names_and_other_paths_are_refused(address):
    page, *_ = address
    port = page.rstrip("/").rpartition(":")[2]
    assert answer(page)[0] == answer(page, host=f"localhost:{port}")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1"):
        status, text = answer(page, host=host)
        assert status == 403 and f"must begin with http://127.0.0.1:{port} or " in text
    for path in ("/report/none-demo", "/report/../store.json", "/store.json", "/report/", "/x/y/z",
                 f"/report/{NAME}/..", "/cells/none-demo", f"/cells/{NAME}"):  # fmt: skip
        status, text = answer(page, path)
        assert status == 404, path
        assert text == "there is no such page, or it has no results yet: start from the page /\n"
    assert "missing: 4 of 4 cells" in answer(page, f"/report/{NAME}")[1]


def test_a_child_that_ends_is_said_to_have(address):
    page, *_ = address
    deadline = time.monotonic() + WAIT_SECONDS
    while "optuna-dashboard: ended with exit code" not in (text := answer(page, "/studies")[1]):
        assert time.monotonic() < deadline, text
        time.sleep(0.2)
    assert "searches in optuna-dashboard" not in text


def test_a_busy_or_impossible_port_is_refused_in_one_line(address, tmp_path, capsys):
    store = Store(str(tmp_path / "store"), create=True)
    for port in (address[0].rstrip("/").rpartition(":")[2], "70000"):
        assert main(["--store", store.url, "--port", port]) == 2
        error = capsys.readouterr().err
        assert re.fullmatch(rf"error: --port must be free and below 65536; {port}: .*\n", error)
    assert main(["--store", str(tmp_path / "none")]) == 2
    assert "must be a store" in capsys.readouterr().err
