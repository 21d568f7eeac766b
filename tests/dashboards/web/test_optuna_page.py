"""Tests of the page of optuna-dashboard: it answers this machine and changes nothing."""

import io

import optuna
import pytest
from optuna_dashboard import wsgi

from dashboards.web.optuna_page import read_only, with_link

PORT = 8081


@pytest.fixture
def storage():
    made = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=made, study_name="one")
    return made


@pytest.fixture
def ask(storage):
    """Returns a function that sends a request and returns the status and the text of its answer."""
    application = read_only(wsgi(storage), PORT)

    def asking(path, method="GET", host=f"127.0.0.1:{PORT}", origin=None, body=b""):
        statuses = []
        environ = {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "HTTP_HOST": host,
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(PORT), "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
            "CONTENT_LENGTH": str(len(body)), "CONTENT_TYPE": "application/json",
        } | ({"HTTP_ORIGIN": origin} if origin else {})  # fmt: skip
        answer = application(environ, lambda status, headers, *_: statuses.append(status))
        return int(statuses[0].split()[0]), b"".join(answer).decode(errors="replace")

    return asking


def test_the_page_and_its_data_are_served_to_this_machine(ask):
    assert ask("/dashboard/")[0] == 200 and "<html" in ask("/dashboard/")[1].lower()
    status, studies = ask("/api/studies", host=f"localhost:{PORT}")
    assert status == 200 and '"one"' in studies
    assert ask("/api/studies", host="localhost:9") == (200, studies)  # through a tunnel


@pytest.mark.parametrize(
    "host", ["evil.com", f"evil.com:{PORT}", "127.0.0.1.evil.com", "localhost:1@evil.com", ""]
)
@pytest.mark.parametrize("path", ["/dashboard/", "/api/studies", "/static/bundle.js"])
def test_another_host_name_is_refused(ask, host, path):
    status, text = ask(path, host=host)
    assert status == 403 and f"http://127.0.0.1:{PORT}" in text and "one" not in text.split()


@pytest.mark.parametrize("method", ["DELETE", "POST", "PUT", "PATCH", "OPTIONS", "get"])
@pytest.mark.parametrize("origin", [None, "http://evil.com", f"http://127.0.0.1:{PORT}"])
def test_nothing_is_changed_from_any_origin(ask, storage, method, origin):
    for path in ("/api/studies/0", "/api/studies", "/api/studies/0/note"):
        body = b'{"study_name": "two", "directions": ["minimize"]}'
        assert ask(path, method, origin=origin, body=body)[0] == 405
    assert [study.study_name for study in storage.get_all_studies()] == ["one"]


def test_pages_link_back_to_the_studies_and_other_answers_stay(storage):
    def asked(path):
        started = []
        environ = {
            "REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "SERVER_NAME": "h",
            "SERVER_PORT": "1", "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(),
        }  # fmt: skip
        body = b"".join(with_link(wsgi(storage), 8000, 2)(environ, lambda *of: started.append(of)))
        return dict(started[0][1]), body

    headers, page = asked("/dashboard")
    # The pages' content security policy refuses inline scripts.
    assert b'<script src="/optuna_link.js"></script></body>' in page
    assert page.count(b"</body>") == 1 and int(headers["Content-Length"]) == len(page)
    headers, script = asked("/optuna_link.js")
    assert b"const [port, store] = [8000, 2]" in script
    assert headers["Content-Type"].startswith("text/javascript")
    _, answer = asked("/api/studies")
    assert b"script" not in answer and b"study_summaries" in answer
