"""Tests of the environments of commands: encodings, backends, devices, homes, faults of the system.

Whatever ends a command, nobody sees a traceback.
"""

import ast
import errno
import io
import os
import pwd
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import studies
from dashboards.report import main as report
from dashboards.table import main as table
from scorelib.errors import InputError
from studies import early
from studies.cli import command, score_studies
from studies.cli.preflight import data_root
from studies.export import main as export
from studies.opening.cli_common import STOPPED, ended
from studies.opening.open_study import configured
from studies.run import main
from tuning.addresses import local_path, with_home
from tuning.drivers.scratch import scratch_folder
from tuning.store.node_cache import NodeCache
from tuning.store.store import Store

NAME = "cifar_sampling_eps"


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    def unknown(*_):
        raise KeyError("uid not found")

    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(pwd, "getpwnam", unknown)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# -- the output ------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "ascii", "utf-8"])
def test_a_table_is_printed_in_any_encoding(store, monkeypatch, encoding):
    printed = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", printed)
        assert table([NAME, "--store", store.url, "--format", "rich"]) == 0
    text = printed.buffer.getvalue().decode(encoding)
    assert "missing: 8 of 8 cells" in text and ("?" in text) == (encoding != "utf-8")


def full_device(is_buffered):
    """Returns a stream on a full device: writes fail at once, or when the buffer is written out."""
    if is_buffered:
        return open("/dev/full", "w")
    return io.TextIOWrapper(open("/dev/full", "wb", buffering=0), write_through=True)


@pytest.mark.parametrize("is_buffered", [True, False])
@pytest.mark.parametrize(
    ("run", "arguments"),
    [(table, [NAME]), (main, ["--help"]), (main, ["--list"]), (score_studies.main, [])],
    ids=["table", "help", "list", "help of all"],
)  # fmt: skip
def test_an_output_that_takes_nothing_is_one_line(
    store, monkeypatch, capsys, run, arguments, is_buffered
):
    given = [*arguments, "--store", store.url] if run is table else arguments
    with full_device(is_buffered) as full, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        assert run(given) == 2
    assert capsys.readouterr().err == (
        "error: standard output must take what is printed, but No space left on device: send it "
        "elsewhere\n"
    )


def test_wrong_input_keeps_its_exit_code_where_no_line_can_be_printed():
    command = [sys.executable, "-m", "studies.cli.score_studies", "no-command"]
    environment = os.environ | {"PYTHONUNBUFFERED": ""}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=full, check=False, env=environment)
    assert done.returncode == 2


def test_pictures_do_not_depend_on_the_backend_of_the_user(store, tmp_path):
    code = (
        "import sys\nfrom studies.opening.cli_common import ended\n"
        "import dashboards.report, dashboards.serve, studies.run\n"
        "from dashboards.drawing.description import Axis, Figure, Line, Panel\n"
        "def draw():\n"
        "    from dashboards.drawing.png import as_png, draw_png, new_figure\n"
        "    line = Line([1, 2], [1, 2], '#000000', width=1, marker='')\n"
        "    for data in (draw_png(Figure('t', [Panel([line], Axis(), Axis())])),\n"
        "                 as_png(new_figure((1, 1)))):\n"
        "        assert data.startswith(b'\\x89PNG')\n"
        "    return 0\n"
        "sys.exit(ended(draw))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"MPLBACKEND": "module://not_there.backend"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    # Matplotlib may say that it builds its cache of fonts.
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr


# -- files -----------------------------------------------------------------------------------------


def test_a_device_or_pipe_is_written_to_and_a_link_is_followed(store, tmp_path, monkeypatch):
    monkeypatch.setattr("dashboards.report.render_report", lambda *_: "the page")

    def write(target):
        assert report([NAME, "--store", store.url, "-o", str(target)]) == 0

    null, aside = tmp_path / "null", os.stat("/dev/null")
    try:
        os.mknod(null, stat.S_IFCHR | 0o666, aside.st_rdev)
    except PermissionError:
        null = Path("/dev/null")  # a user without rights could not replace the device anyway
    write(null)
    assert stat.S_ISCHR(null.stat().st_mode) and null.stat().st_rdev == aside.st_rdev
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(pipe)
    assert os.read(reader, 100) == b"the page" and pipe.is_fifo()
    os.close(reader)
    for name in ("there.html", "new.html"):
        link = tmp_path / f"link-{name}"
        link.symlink_to(tmp_path / name)
        if name == "there.html":
            (tmp_path / name).write_text("old")
        write(link)
        assert link.is_symlink() and (tmp_path / name).read_text() == "the page"


def test_an_output_that_leads_nowhere_is_refused_in_one_line(store, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dashboards.report.render_report", lambda *_: "the page")
    (tmp_path / "loop").symlink_to("loop")
    for output in ("loop", "x" * 300, "", " ", "nowhere/x.html"):
        assert report([NAME, "--store", store.url, "-o", output]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert export([NAME, "row", "column", "-o", "", "--store", store.url]) == 2
    assert "is a variable of the shell unset?" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} <= {"loop", "s", "store"}


def test_the_standard_output_may_be_named_as_a_file(tmp_path):
    code = (
        "from pathlib import Path\nfrom tuning.store.files import write_output\n"
        "write_output(Path('/dev/stdout'), b'the page')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"the page"


def test_a_tilde_is_the_home_folder_in_exports_and_from_python(home, monkeypatch):
    Store(str(home / "store"), create=True)
    assert studies.open("~/store")._store.folder == home / "store"
    given = []
    monkeypatch.setattr("studies.export.Run.export", lambda *args, **_: given.append(args) or "0")
    assert export([NAME, "row", "column", "-o=~/out", "--store=~/store"]) == 0
    assert given[0][3] == home / "out"


def test_a_tilde_is_the_home_folder_wherever_a_path_is_taken(home, capsys, monkeypatch):
    monkeypatch.setattr("dashboards.report.render_report", lambda *_: "the page")
    Store(str(home / "store"), create=True)
    (home / "changes.toml").write_text("seeds = 7\n")
    (home / "data").mkdir()
    assert configured(NAME, "demo", [], "~/changes.toml").seeds == 7
    assert data_root(configured(NAME, "demo", ["data.root=~/data"])) == home / "data"
    assert report([NAME, "--store=~/store", "-o=~/page.html"]) == 0
    assert (home / "page.html").read_text() == "the page"
    assert with_home("sqlite:///~/a.db") == f"sqlite:///{home}/a.db"
    assert with_home("http://host/~me") == "http://host/~me" and with_home("s3://~/x") == "s3://~/x"
    given = []
    monkeypatch.setattr(command, "_command", lambda args: given.append(args) or 0)
    assert main([NAME, "--store=~/store", "--tracking-uri=sqlite:///~/mlflow.db"]) == 0
    assert given[0].store == f"{home}/store"
    assert given[0].tracking_uri == f"sqlite:///{home}/mlflow.db"
    assert sorted(p.name for p in home.parent.iterdir()) == ["home"], "a folder named ~ was made"


def test_without_home_and_name_a_local_store_works(homeless, capsys):
    store = Store("store", create=True)
    assert NodeCache().read("0" * 64, lambda: b"data") == b"data"
    assert table([NAME, "--store", store.url]) == 0
    assert table([NAME, "--store", "~/store"]) == 2
    assert "a path with ~ needs a home folder" in capsys.readouterr().err
    assert local_path("~nobody-at-all/x") == Path("~nobody-at-all/x")
    assert sorted(p.name for p in homeless.iterdir()) == ["store"]


# -- faults ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(errno.EIO, "Input/output error", "/data/x"), 1, "Input/output error: /data/x: "),
        (PermissionError(13, "Permission denied", "/data/x"), 1, "Permission denied: /data/x"),
        (MemoryError(), 1, "no memory is left"),
        (RecursionError("too deep"), 1, "RecursionError: too deep; please report it with "),
        (KeyError("x"), 1, "KeyError: 'x'; please report it with "),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_no_exception_ends_in_a_traceback(
    monkeypatch, capsys, tmp_path, error, code, message, by_name
):
    def failing(args):
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("dashboards.table._command", failing)
    run = score_studies.main if by_name else table
    assert run(["table"] * by_name + [NAME]) == code
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err
    for log in tmp_path.iterdir():
        assert str(log) in printed.err and "Traceback" in log.read_text()
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert len(list(tmp_path.iterdir())) == ("report it" in message)


def test_the_installed_command_says_what_each_command_does(capsys):
    assert score_studies.main([]) == score_studies.main(["--help"]) == 0
    printed = capsys.readouterr().out
    for name, (_, about) in score_studies.COMMANDS.items():
        assert printed.count(f"  {name:8} {about}\n") == 2


def test_a_log_and_its_line_show_no_password(monkeypatch, capsys, tmp_path):
    def failing(args):
        raise ValueError("postgresql://me:secret@host/db does not answer")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("dashboards.table._command", failing)
    assert table([NAME]) == 1
    (log,) = tmp_path.iterdir()
    assert "secret" not in log.read_text() + capsys.readouterr().err


def test_ctrl_c_is_one_line_in_every_command(monkeypatch, capsys):
    def interrupted(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("dashboards.table._command", interrupted)
    assert table([NAME]) == STOPPED
    assert "Stopped" in capsys.readouterr().out


# -- bytes, streams and widths ---------------------------------------------------------------------


BYTES = os.fsdecode(b"b\xff\xfe")


@pytest.mark.parametrize(
    "arguments",
    [["--store", f"{BYTES}/store"], ["--set", f"data.root={BYTES}"], ["--config", f"{BYTES}.toml"],
     ["--tracking-uri", f"sqlite:///{BYTES}/mlflow.db"]],
)  # fmt: skip
def test_bytes_that_are_not_utf8_are_refused_in_one_line(home, capsys, arguments):
    assert main([NAME, *arguments]) == 2
    line = capsys.readouterr().err
    assert "a path must be UTF-8, but got b'" in line and "b\\xff\\xfe" in line
    assert line.count("\n") == 1 and list(home.parent.iterdir()) == [home]


def test_a_folder_of_temporary_files_that_is_not_utf8_is_refused(home, monkeypatch):
    (home / BYTES).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(home / BYTES))
    with pytest.raises(InputError, match="a path must be UTF-8"), scratch_folder("ray-"):
        pass
    monkeypatch.chdir(home / BYTES)
    assert main([NAME]) == 2  # a store in the current folder
    assert list((home / BYTES).iterdir()) == []


@pytest.mark.parametrize("given", ["", " "])
def test_an_empty_name_from_an_unset_variable_is_refused(home, capsys, given):
    for run, arguments in (
        (main, [NAME, "--store", given]), (main, [NAME, "--tracking-uri", given]),
        (table, [NAME, "--store", given]), (report, [NAME, "--store", given]),
    ):  # fmt: skip
        assert run(arguments) == 2
        assert "is a variable of the shell unset?" in capsys.readouterr().err
    with pytest.raises(InputError, match="the store must have a name"):
        Store(given, create=True)
    assert list(home.parent.iterdir()) == [home]


@pytest.mark.parametrize("columns", ["0", "-5", "x", ""])
def test_a_width_of_no_columns_prints_the_table_all_the_same(store, monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert table([NAME, "--store", store.url, "--format", "rich"]) == 0
    assert "missing: 8 of 8 cells" in capsys.readouterr().out


@pytest.mark.parametrize("columns", ["1", "20", "40"])
def test_a_narrow_terminal_cuts_no_number_of_a_table(store, monkeypatch, capsys, columns):
    def words(width):
        monkeypatch.setenv("COLUMNS", width)
        assert table([NAME, "--store", store.url, "--format", "rich"]) == 0
        return capsys.readouterr().out

    assert "…" not in words(columns)
    assert words(columns).split().count("missing") >= 8


def test_a_closed_output_is_one_line_before_any_work(monkeypatch, capsys):
    called = []
    monkeypatch.setattr(sys, "stdout", None)
    assert ended(lambda: called.append(1) or 0) == 2 and called == []
    assert capsys.readouterr().err.startswith("error: standard output must be open")


def test_the_exit_code_of_an_exit_is_kept():
    def help_is_printed():
        raise SystemExit(0)

    assert ended(help_is_printed) == 0
    assert ended(lambda: sys.exit(3)) == 3


@pytest.mark.parametrize("package", ["studies", "dashboards"])
def test_ctrl_c_during_the_imports_of_a_command_is_one_line(tmp_path, package):
    # A module of PyTorch's name stands for its import, which takes seconds. An extension module may
    # turn KeyboardInterrupt into an error of its own.
    (tmp_path / "torch.py").write_text(
        "import os, signal\n"
        "try:\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "except BaseException as error:\n    raise ImportError from error\n"
    )
    command = "run" if package == "studies" else "table"
    done = subprocess.run(
        [sys.executable, "-m", f"{package}.{command}", "--help"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}"}, check=False,
        # A shell that runs the tests in the background makes them ignore SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert done.returncode == STOPPED
    assert done.stderr.strip() == "Stopped before anything was started." and done.stdout == ""


@pytest.mark.parametrize("package", ["studies", "dashboards"])
def test_nothing_is_imported_before_ctrl_c_is_handled(package):
    tree = ast.parse(Path(package, "__init__.py").read_text())
    first = next(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    assert isinstance(first, ast.ImportFrom) and first.module == "studies"
    assert [found.name for found in first.names] == ["early"]


def test_ctrl_c_is_an_exception_again_once_a_command_runs(monkeypatch):
    known = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        early.begin()
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert ended(lambda: os.kill(os.getpid(), signal.SIGINT) or 0) == STOPPED
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # as under nohup
        early.begin()
        early.is_over()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, known)
