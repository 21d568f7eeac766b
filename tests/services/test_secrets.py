"""Tests that a password in an address is sent only to the server at this address."""

import sys

import pytest

from studies.cli.options import RUN_FLAGS, options_given, parser
from studies.run import main
from tests.miniature import OPTIONS, miniature_study
from tests.ports import free_port
from tests.services.outage import runs
from tests.services.passwords import NAME, SMALLER, STORE, check_hidden, options, with_password
from tests.services.servers import PASSWORD
from tests.tuning.draining import drain
from tuning.store.store import Store


def refused(capsys, *arguments):
    """Runs the command in this process; returns its one line of output."""
    assert main([NAME, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1, printed
    assert PASSWORD not in printed.err and "kret" not in printed.err, printed.err
    return printed.err


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("http://user:sekret@127.0.0.1:{free}", "tracking_uri 127.0.0.1:{free} must answer"),
        ("http://user:sekret@127.0.0.1:sekret", "tracking_uri must be a URL"),
        ("http://user:sekret", "tracking_uri must be a URL"),
        ("http://user:se/kret@127.0.0.1:{free}", "tracking_uri must be a URL"),
        ("http://user:12/sekret@127.0.0.1", "tracking_uri must be a URL"),
        ("http://user:a sekret@127.0.0.1", "tracking_uri must be a URL"),
        ("user:sekret@127.0.0.1", "tracking_uri must be a server"),
        ("ftp://user:sekret@127.0.0.1", "got 'ftp://127.0.0.1'"),
        ("postgresql://user:sekret@127.0.0.1:{free}/x", "must be a database that answers"),
        ("postgresql://user:sekret@127.0.0.1:{free}/x?password=sekret", "that answers"),
        ("postgresql://user@127.0.0.1:{free}/x?password=sekret", "password=***"),
        ("postgresql://user:sekret@127.0.0.1:sekret/x", "tracking_uri must be a URL"),
        ("postgresql+nonsense://user:sekret@127.0.0.1/x", "must be a database that answers"),
    ],
)
def test_a_refused_tracking_uri_does_not_show_its_password(
    capsys, tmp_path, monkeypatch, address, message
):
    monkeypatch.chdir(tmp_path)
    free = free_port()
    line = refused(capsys, "--tracking-uri", address.format(free=free))
    assert message.format(free=free) in line
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_password_is_refused_and_not_shown(capsys, tmp_path, monkeypatch, postgres):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "--tracking-uri", postgres.url("postgres", password="sekret-but-wrong"))
    assert "password authentication failed" in line
    monkeypatch.setenv("PGPASSWORD", "sekret-but-wrong")
    line = refused(capsys, "--set", f"projections.optuna={postgres.url('postgres')}")
    assert "projections.optuna must be a database that answers" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:sekret@127.0.0.1/x",
        "postgresql+psycopg://user:@127.0.0.1/x",
        "postgresql://user@127.0.0.1/x?password=sekret",
        "postgresql://user:12/sekret@127.0.0.1/x",
    ],
)
def test_settings_are_kept_so_they_hold_no_password(capsys, tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "--set", f"projections.optuna={url}")
    assert "PGPASSWORD" in line or "projections.optuna must be a URL" in line
    assert list(tmp_path.iterdir()) == []


def test_a_store_takes_no_password(capsys):
    line = refused(capsys, "--store", "sftp://user:sekret@127.0.0.1/store")
    assert "store must hold no password" in line


def test_a_mistyped_option_does_not_show_its_value(capsys):
    line = refused(capsys, "--tracking-urii", "http://user:sekret@127.0.0.1:5000")
    assert "the nearest option is --tracking-uri" in line


def test_a_missing_package_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "gcsfs" in refused(capsys, "--store", "gs://bucket/store")
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    assert "score-studies[services]" in refused(capsys, "--store", "s3://bucket/store")
    for name in [n for n in sys.modules if n.split(".")[0] in ("psycopg", "psycopg2")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for arguments in (
        ("--set", "projections.optuna=postgresql://user@127.0.0.1/x"),
        ("--tracking-uri", "postgresql://user@127.0.0.1/x"),
    ):
        assert "score-studies[services]" in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_command_that_continues_is_printed_without_the_password():
    given = ["--tracking-uri", "http://user:sekret@127.0.0.1:5000/path", "--seeds", "2"]
    args = parser().parse_args([NAME, *given])
    assert options_given(args, RUN_FLAGS) == (
        f"{NAME} --tracking-uri http://127.0.0.1:5000/path --seeds 2"
    )


def test_the_command_line_with_all_services_shows_no_password(
    capfd, tmp_path, monkeypatch, s3, mlflow, postgres
):
    """The jobs run in this process: `make chaos` runs the command with workers of Ray."""
    monkeypatch.chdir(tmp_path)
    postgres.create("searches")
    searches = postgres.url("searches")
    before = len(runs(mlflow.uri, NAME))
    changes = SMALLER | {"projections.optuna": searches}
    study = miniature_study(**{path.replace(".", "__"): of for path, of in changes.items()})
    drain(study, Store(STORE, create=True))
    done = main(
        [
            NAME,
            *OPTIONS,
            *options(changes),
            "--store",
            STORE,
            "--tracking-uri",
            with_password(mlflow),
        ]
    )
    printed = "".join(capfd.readouterr())
    assert done == 0, printed
    check_hidden(printed, mlflow, postgres, searches, before)
    assert list(tmp_path.iterdir()) == [], "something was written beside the store"
