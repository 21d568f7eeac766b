"""Tests of the served page: it follows a study to its end and links to MLflow and Optuna."""

import contextlib
import http.client
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from http.server import ThreadingHTTPServer

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from dashboards.records.projections import Projections
from dashboards.results.cells import read_study
from dashboards.serve import main
from dashboards.web.child_servers import free_port
from dashboards.web.site import Site, handler
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

        refuses_other_sites(mlflow, page)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not any(map(listens, (page, mlflow, optuna)))


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
    folder = tmp_path_factory.mktemp("serve")
    store = Store(str(folder / "store"), create=True)
    record_last_run(store, miniature_study())
    (store.folder / "optuna.db").write_text("no database")
    with (
        (folder / "errors").open("w") as errors,
        serving(store, errors=errors) as (_, addresses),
    ):
        yield addresses
    assert (folder / "errors").read_text() == "", "something was printed on the terminal"


def test_other_host_names_and_other_paths_are_refused(address):
    page, *_ = address
    port = page.rstrip("/").rpartition(":")[2]
    assert answer(page)[0] == answer(page, host=f"localhost:{port}")[0] == 200
    assert answer(page, host="localhost:9")[0] == 200, "through a tunnel, the port is another one"
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example"):
        status, text = answer(page, host=host)
        assert status == 403 and f"must begin with http://127.0.0.1:{port} or " in text
    for path in ("/report/none-demo", "/report/../store.json", "/store.json", "/report/", "/x/y/z",
                 f"/report/{NAME}/..", "/cells/none-demo", f"/cells/{NAME}"):  # fmt: skip
        status, text = answer(page, path)
        assert status == 404, path
        assert text == "there is no such page, or it has no results yet: start from the page /\n"
    assert "missing: 4 of 4 cells" in answer(page, f"/report/{NAME}")[1]


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
        connection.sendall(f"GET /report/{NAME} HTTP/1.0\r\nHost: {place}\r\n\r\n".encode())


def test_a_silent_connection_is_given_up(monkeypatch, store):
    monkeypatch.setattr("dashboards.web.hosts.QuietHandler.timeout", 0.1)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(Site(store, None))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with socket.create_connection(server.server_address, timeout=60) as connection:
            connection.sendall(b"GET / HT")
            assert connection.recv(100) == b""  # the server has closed the connection
        server.shutdown()
        thread.join()


def test_the_ports_can_be_given(store, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--store", store.url, "--port", str(port - 2)]) == 2
        assert f"each port must be free and below 65536; {port}: " in capsys.readouterr().err
    first = free_port()
    with serving(store, "--port", str(first)) as (process, addresses):
        assert addresses == [f"http://127.0.0.1:{first + at}/" for at in range(3)]
        tunnel = " ".join(f"-L {first + at}:127.0.0.1:{first + at}" for at in range(3))
        line = process.stdout.readline()
        assert line.endswith(f": ssh -N {tunnel} {socket.gethostname()}\n")


def test_a_child_that_cannot_start_is_said_so_with_the_cure(address):
    page, *_ = address
    deadline = time.monotonic() + WAIT_SECONDS
    while "optuna-dashboard: cannot start" not in (text := answer(page, "/studies")[1]):
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
