"""Tests of the command line: fixed options; bad input gives one line, exit code 2, no files."""

import dataclasses
import json
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from dashboards.compare import main as compare
from dashboards.live.store import LiveStore
from dashboards.report import main as report
from dashboards.results.cells import read_study
from dashboards.results.overview import overview
from dashboards.sync import main as sync
from dashboards.table import main as table
from dashboards.web.site import Place, Site
from scorelib import spec
from scorelib.spec_paths import replace_paths
from studies.cli import command as run_command
from studies.cli import launch
from studies.cli.launch import Launched
from studies.cli.options import parser
from studies.opening.cli_common import command_line
from studies.opening.open_study import record_last_run
from studies.registry import find_study
from studies.run import main
from tests.displays import empty_database
from tests.miniature import OPTIONS, miniature_settings, miniature_study
from tests.tuning.draining import fill
from tuning import own_modules
from tuning.drivers.driver import Driver
from tuning.drivers.lock import StudyLock
from tuning.execution.stop import StopRequest
from tuning.scheduling.scheduler import Scheduler
from tuning.store.documents import FORMAT
from tuning.store.store import CorruptObjectError, Store

NAME = "cifar_sampling_eps"


def refused(capsys, *arguments):
    """Runs the command in this process; returns its one line of output."""
    assert main([*arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1, printed
    assert printed.err.startswith("error: ")
    return printed.err


def test_the_options_are_fixed():
    options = {o for action in parser()._actions for o in action.option_strings}
    assert options == {
        "-h", "--help", "--module", "--scale", "--set", "--list", "--plan", "--store",
        "--tracking-uri", "--address", "--cpus", "--gpus", "--max-concurrent", "--seeds",
        "--allow-cpu",
        "--config", "--show-settings", "--toml", "--quiet", "--json", "--notify",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: NAME"),
        (["cifar_samplin_eps"], "the nearest is 'cifar_sampling_eps'"),
        ([NAME, "--scale", "huge"], "the scale must be one of demo, paper, but got 'huge'"),
        ([NAME, "--sclae", "demo"], "the nearest option is --scale"),
        ([NAME, "--set", "train.sede=1"], "the nearest is 'train.seed' (--set train.seed=VALUE)"),
        ([NAME, "--set", "train.seed"], "be PATH=VALUE, but got 'train.seed' (--set PATH=VALUE)"),
        ([NAME, "--set", "train.seed=one"], "must be int; got 'one' (--set train.seed=VALUE)"),
        ([NAME, "--set", "train.seed=1.5"], "TrainSpec.seed must be int; got 1.5"),
        ([NAME, "--set", "train.precision=fp8"], "must be one of 'float32', 'bf16'; got 'fp8'"),
        ([NAME, "--set", "execution.autocast=true"], "'train.precision'"),
        ([NAME, "--set", "n_images=1"], "n_images must be above 1, but got 1"),
        ([NAME, "--set", "execution.timeouts.sample=0"], "execution.timeouts.sample must be above"),
        ([NAME, "--set", "execution.gpu_shares.train=2"], "execution.gpu_shares.train must be in"),
        ([NAME, "--set", "execution.batch_images=0"], "execution.batch_images must be at least 1"),
        ([NAME, "--set", "ema=0.5"], "ema must be one of the decays kept in training"),
        ([NAME, "--set", "zzz=1"], "must be a field of the study's settings; got 'zzz'\n"),
        ([NAME, "--set", "iterations=9"], "at least snapshot_every=2000 iterations, but got 9"),
        ([NAME, "--set", "iteration=123"], "must be a multiple of snapshot_every=2000"),
        ([NAME, "--set", "train.schedule.sigma_L=99"], "sigmas must strictly decrease"),
        ([NAME, "--set", "train.schedule.n_levels=1"], "n_levels must be at least 2 (1 if"),
        ([NAME, "--set", "train.optimizer.beta1=1"], "beta1"),
        ([NAME, "--set", "train.batch_size=100000"], "batch_size must be in [1, 3000]"),
        ([NAME, "--set", "search.n_trials=0"], "n_trials >= 1"),
        ([NAME, "--set", "search.cas_epsilon=1"], "epsilon must be in (0.001"),
        ([NAME, "--set", "search.als_epsilon=0.5"], "epsilon must be in (0, 0.02) for als"),
        ([NAME, "--set", "n_sigma=[1, 1]"], "each once"),
        ([NAME, "--set", "train.ema=[0.999, 0.999]"], "ema must contain each decay only once"),
        ([NAME, "--set", 'seeds={"spec": "Digits"}'], "Settings.seeds must be int"),
        ([NAME, "--tracking-uri", "http://localhost:abc"], "tracking_uri must be a URL"),
        (
            [NAME, "--gpus", "4"],
            "gpus must be at most 0, the GPUs found here, but got 4 (--gpus N)",
        ),
        ([NAME, "--set", "n_sigma=[0]"], "at least 1 and each once, but got (0,)"),
        (
            [NAME, "--store", "memory://x"],
            "needs an MLflow server, but got only the store 'memory://x' (--tracking-uri URI)",
        ),
        ([NAME, "--seeds", "0"], "must be at least 1, but got '0'"),
        ([NAME, "--cpus", "two"], "must be a whole number"),
        ([NAME, "--address", "ray://somewhere:10001"], "use `ray job submit` instead"),
        (
            [NAME, "--address", "somewhere"],
            "address must be auto or HOST:PORT, but got 'somewhere' (--address",
        ),
        ([NAME, "--tracking-uri", "mlruns"], "tracking_uri must be a server"),
        ([NAME, "--tracking-uri", "sqlite:///no/x.db"], "a SQLite file in a folder that is there"),
        ([NAME, "--store", "nonsense://x"], "the store must be a folder or an fsspec URL"),
        ([NAME, "--store", "ftp://127.0.0.1:1/x"], "the store must be a folder or an fsspec URL"),
        ([NAME, "--tracking-uri", "http://a..b"], "tracking_uri a..b:80 must answer"),
        ([NAME, "--scale", "paper"], "jobs need a GPU, but there is none"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(
    capsys, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    assert message in refused(capsys, *arguments)
    assert list(tmp_path.iterdir()) == []


def test_the_gpu_refusal_says_what_it_would_need(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, NAME, "--scale", "paper")
    assert "hours of one device" in line and "GB of disk" in line and "--allow-cpu" in line


@pytest.mark.parametrize("option", ["--address", "--tracking-uri"])
def test_a_port_where_nothing_listens_is_refused_within_seconds(
    capsys, tmp_path, monkeypatch, option
):
    monkeypatch.chdir(tmp_path)
    with socket.socket() as held:  # so that nobody else listens there
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        where = f"127.0.0.1:{port}" if option == "--address" else f"http://127.0.0.1:{port}"
        started = time.monotonic()
        line = refused(capsys, NAME, option, where)
    assert f" 127.0.0.1:{port} must answer" in line and f"({option} " in line
    assert time.monotonic() - started < 30, "MLflow and Ray try for more than a minute"
    assert list(tmp_path.iterdir()) == []


def test_a_store_of_a_newer_version_is_refused(capsys, tmp_path):
    (tmp_path / "store.json").write_text(json.dumps({"format": FORMAT + 1}))
    assert "made it, so update score-studies" in refused(capsys, NAME, "--store", str(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["store.json"]


def test_a_store_that_cannot_be_written_is_refused(capsys):
    line = refused(capsys, NAME, "--store", "/proc/store")
    assert "must be writable and have free space" in line


@pytest.mark.parametrize(("command", "name"), [(table, [NAME]), (report, [NAME]), (sync, [])])
def test_a_store_that_cannot_be_read_is_refused(capsys, tmp_path, command, name):
    Store(str(tmp_path), create=True)
    (tmp_path / "studies" / f"{NAME}-demo.json").mkdir(parents=True)
    assert command([*name, "--store", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert "json failed (Is a directory): fix permissions, the disk or" in printed.err


def test_missing_data_is_refused_before_anything_is_scheduled(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torchvision.datasets.CIFAR10.download", offline)
    line = refused(
        capsys, NAME, "--scale", "paper", "--allow-cpu", "--set", f"data.root={tmp_path}/none"
    )
    assert "cifar-10" in line and "(--set data.root=VALUE)" in line
    assert not (tmp_path / "store").exists()


def offline(self):
    raise OSError("no network")


def test_a_submitted_job_must_not_write_into_the_folder_that_ray_throws_away(capsys, monkeypatch):
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    assert "the store must be absolute in a submitted job" in refused(capsys, NAME)


def test_a_second_driver_on_the_same_study_is_refused_with_the_holder(capsys, tmp_path):
    from tuning.drivers.driver import Driver
    from tuning.drivers.lock import StudyLock
    from tuning.store.store import Store

    store = Store(str(tmp_path / "s"), create=True)
    with Driver(store) as driver, StudyLock(driver, f"{NAME}-demo"):
        line = refused(capsys, NAME, "--store", store.url)
    assert "one driver at a time" in line and str(store.url) in line


def test_plan_writes_nothing_and_counts_the_whole_study(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([NAME, "--plan", "--scale", "paper"]) == 0
    printed = capsys.readouterr().out
    assert f"{2 * 38_400_000:,}" in printed and "est." in printed and "240" in printed
    # (232 + 1160 + 232 + 1156) evaluations x (16 x 5000 + 2 x 5000 more + 3 x 10000) images, and
    # 232 x 24 x 5000 to choose a snapshot, one of which is also a trial of CAS; for both columns.
    sampled = 2 * ((232 + 1160 + 232 + 1156) * 120_000 + 232 * 23 * 5000)
    assert f"{sampled:,}" in printed and f"{2 * 38_400_000 + sampled:,}" in printed
    assert list(tmp_path.iterdir()) == []


def test_a_plan_starts_without_heavy_imports(tmp_path):
    code = (
        "import sys; from studies.run import main; "
        f"main(['cars_schedules', '--plan', '--store', '{tmp_path / 'absent'}']); "  # an NCSN
        "heavy = {'sklearn', "
        "'scipy.stats', 'ray', 'mlflow', 'plotly', 'matplotlib', 'torch._dynamo', 'sympy'}; "
        "print(heavy & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "set()\n" and "embedded data" in done.stdout


def test_a_study_of_small_networks_is_planned_on_a_cpu_at_paper_scale(capsys):
    for name, device in (("moons_score_mismatch", "cpu x1"), ("cifar_gan_loss", "gpu")):
        assert main([name, "--plan", "--scale", "paper"]) == 0
        assert f"{name} (paper) on {device} " in capsys.readouterr().out


def test_list(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert NAME in printed and list(tmp_path.iterdir()) == []
    assert "Studies of your own: --scale demo: small, on a CPU; --scale paper: the publ" in printed
    assert "Studies of papers: --scale demo: embedded data" in printed
    assert main(["sampling_eps", "--plan"]) == 0
    assert "scale demo: small, on a CPU" in capsys.readouterr().out


def test_wrong_input_ends_the_process_with_code_2_and_no_traceback(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "studies.run", NAME, "--scale", "huge"],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == "" and done.stderr.count("\n") == 1


def test_the_table_command_reads_only_what_is_there(tmp_path, capsys):
    assert table([NAME, "--store", str(tmp_path / "none")]) == 2
    assert "has no store.json" in capsys.readouterr().err
    assert not Path(tmp_path / "none").exists()


def test_settings_of_another_version_are_refused_with_what_to_do(tmp_path, capsys):
    store = Store(str(tmp_path / "store"), create=True)
    older = miniature_settings().to_json() | {"spec": "OldSettings"}
    store.put_document("studies", f"{NAME}-demo", older)
    assert table([NAME, "--store", store.url]) == 2
    assert "run the study again" in capsys.readouterr().err


@pytest.mark.parametrize("below", ["", "/inside"])
def test_a_file_given_as_store_is_said_to_be_one(capsys, tmp_path, below):
    (tmp_path / "file").write_text("text")
    given = f"{tmp_path}/file{below}"
    for run in (main, table, report, sync):
        assert run([*[NAME] * (run is not sync), "--store", given]) == 2
        line = capsys.readouterr().err
        assert line == (
            f"error: the store must be a folder, but {given!r} is a file or lies below a file: "
            "name another folder (--store URL)\n"
        )
    assert (tmp_path / "file").read_text() == "text"


@pytest.mark.parametrize(("failing", "code"), [(4, 1), (1, 0), (0, 0)])
def test_cells_that_failed_are_said_at_the_end(capsys, store, failing, code):
    study = miniature_study()
    view = read_study(Scheduler(study, store), store)
    cells = [
        dataclasses.replace(cell, failed="not finite" if number < failing else None)
        for number, cell in enumerate(view.cells)
    ]
    seen = dataclasses.replace(view, cells=tuple(cells))
    complete = SimpleNamespace(given_up={}, is_complete=lambda: True, study=study, searches={})
    args = parser().parse_args([NAME])
    launched = Launched(complete, store, StopRequest())
    assert run_command._close(args, launched, seen) == code
    said = f"{failing} of 4 cells failed; the first is {cells[0].cell.name}: not finite"
    printed = capsys.readouterr().out
    assert (said in printed) == bool(failing) and ("Next:" in printed) == (code == 0)


OWN_JOB = """
from studies import kit

@kit.spec
class Quick(kit.Job):
    STAGE = kit.Stage("quick", 5, "score")
    x: float = 0.5
    def title(self):
        return "a number"
    def run(self, at):
        yield kit.Progress(0, 1, "steps")
        return kit.Outcome({"y": self.x})
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sampling_eps", "--set", "images=my pictures"], True),
        (["sampling_eps", "--config", "my.toml", "--seeds", "3", "--store", "my store"], True),
        (["sampling_eps", "--set", "train.network.width=8"], False),  # no setting at paper scale
        (["sweep", "--module", "quick.py", "--set", "job=Quick", "--set",
          'vary=["job.x = 0..1"]', "--set", 'objectives=["lower y"]'], False),
    ],
)  # fmt: skip
def test_the_larger_scale_is_planned_with_the_options_of_the_run(
    capsys, store, tmp_path, monkeypatch, words, expected
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_modules, "_LOADED", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("quick.py").write_text(OWN_JOB)
    Path("my.toml").write_text("n_images = 300\n")
    Path("my pictures").mkdir()
    for i in range(60):
        Image.new("L", (8, 8), 4 * i).save(f"my pictures/{i}.png")
    args = parser().parse_args(words)
    for module in args.modules:
        own_modules.import_own(module)
    settings = run_command._settings(args, "demo")
    study = find_study(args.name).study("demo", settings)
    view = dataclasses.replace(read_study(Scheduler(miniature_study(), store), store), study=study)
    monkeypatch.setattr(run_command, "render", lambda *_: "")
    complete = SimpleNamespace(given_up={}, is_complete=lambda: True, study=study, searches={})
    launched = Launched(complete, store, StopRequest())
    assert run_command._close(args, launched, view) == 0
    sys.modules.pop("quick", None)
    spec._KINDS.pop("quick:Quick", None)
    line = f"  {command_line('studies.run')} {shlex.join(words)} --scale paper --plan\n"
    printed = capsys.readouterr().out
    assert (line in printed) == expected == ("--scale paper" in printed)


@pytest.mark.parametrize(
    ("damaged", "message"),
    [
        ("[]", "is damaged (it must hold the settings of a study): run the study again"),
        ("", "is damaged"),
        ('{"spec": "SampleSpec"}', "must have the field 'model'"),
        ('{"spec": "Digits"}', "they must be"),
        ('{"spec": []}', "is damaged"),
    ],
)
def test_damaged_settings_are_said_and_never_replaced_by_the_default(
    tmp_path, capsys, damaged, message
):
    store = Store(str(tmp_path / "store"), create=True)
    folder = store.folder / "studies"
    folder.mkdir()
    (folder / f"{NAME}-demo.json").write_text(damaged)
    for command, arguments in ((table, [NAME]), (report, [NAME, "-o", str(tmp_path / "r.html")])):
        assert command([*arguments, "--store", store.url]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1 and message in printed.err
    assert list(overview(store, Driver(store)).unreadable) == [f"{NAME}-demo"]


def test_the_next_run_writes_damaged_settings_again(tmp_path, caplog):
    store = Store(str(tmp_path / "store"), create=True)
    module = find_study("noise_consistency")
    study = module.study("demo", module.settings("demo"))
    fill(study, store)
    record_last_run(store, study)
    path = store.folder / "studies" / f"{study.id}.json"
    whole = path.read_bytes()
    path.write_bytes(b"")
    assert main(["noise_consistency", "--store", store.url]) == 0
    assert path.read_bytes() == whole
    (kept,) = (store.folder / "set-aside").iterdir()
    assert kept.read_bytes() == b"" and kept.name.startswith(f"studies-{study.id}-")
    assert caplog.text.count("is damaged") == 1


def test_a_study_of_another_version_keeps_no_other_from_being_shown(tmp_path, capsys):
    store = Store(str(tmp_path / "store"), create=True)
    empty_database(store.folder / "mlflow.db")
    module = find_study("noise_consistency")
    study = module.study("demo", module.settings("demo"))
    fill(study, store)
    record_last_run(store, study)
    store.put_document("studies", f"{NAME}-demo", {"spec": "OldSettings"})
    store.put_document("studies", "long_gone-demo", {"spec": "OldSettings"})
    observer = Driver(store)
    shown = overview(store, observer)
    assert [row.name for row in shown.rows] == ["noise_consistency-demo"]
    assert shown.unreadable.keys() == {f"{NAME}-demo", "long_gone-demo"}
    page = Site([Place(1, LiveStore(store, ""), None)]).home()
    assert "noise_consistency-demo" in page and "run the study again" in page
    assert report(["noise_consistency", "--store", store.url, "-o", str(tmp_path / "r.html")]) == 0
    assert compare([store.url, store.url]) == 0
    capsys.readouterr()
    assert compare([store.url, store.url, NAME]) == 2
    assert "must be of this version" in capsys.readouterr().err
    assert sync(["--store", store.url]) == 1
    said = capsys.readouterr()
    assert "noise_consistency (demo): written" in said.out
    assert "long_gone-demo cannot be written: NAME must be a file FILE.py, a module, or" in said.err


def test_sync_writes_the_other_studies_while_one_is_at_work(tmp_path, capsys):
    store = Store(str(tmp_path / "store"), create=True)
    for name in ("likelihood_renormalisation", "noise_consistency"):
        module = find_study(name)
        record_last_run(store, module.study("demo", module.settings("demo")))
    with Driver(store) as driver, StudyLock(driver, "likelihood_renormalisation-demo"):
        assert sync(["--store", store.url]) == 1
    said = capsys.readouterr()
    assert "error: one driver at a time may run likelihood_renormalisation-demo" in said.err
    assert said.out.splitlines() == [
        "likelihood_renormalisation (demo): incomplete", "noise_consistency (demo): written",
    ]  # fmt: skip


def test_a_corrupt_picture_costs_no_table(tmp_path, capsys, monkeypatch):
    store = Store(str(tmp_path / "store"), create=True)
    empty_database(store.folder / "mlflow.db")
    less = {"n_sigma": "[1]", "search__n_trials": "1", "selection__n_trials": "1"}
    study = miniature_study(**less)
    fill(study, store)
    options = [f"{path.replace('__', '.')}={value}" for path, value in less.items()]
    command = [NAME, *OPTIONS, "--store", store.url]
    command += [word for option in options for word in ("--set", option)]
    chunk = read_study(Scheduler(study, store), store).cells[0].first_images
    (picture,) = store.folder.glob(f"objects/sample/{chunk.key}/*/raw.png")
    assert main(command) == 0
    table = capsys.readouterr().out
    picture.write_bytes(picture.read_bytes()[:-9])
    assert main(command) == 0
    printed = capsys.readouterr()
    assert printed.out == table and printed.err.count("\n") == 1
    assert "MLflow" in printed.err and "was set aside" in printed.err
    assert main(command) == 0
    assert capsys.readouterr() == (table, "")

    def corrupt(*_):
        raise CorruptObjectError("score", "abc", "checksum of scores")

    monkeypatch.setattr(launch, "png_files", corrupt)  # files that MLflow does not get
    assert main(command) == 0
    printed = capsys.readouterr()
    assert printed.out == table and "pictures are missing: score abc is corrupt" in printed.err


@pytest.mark.parametrize("option", ["lambdas=[1]", "alphas=[0.5, 1, 20]"])
def test_a_range_has_two_ends(capsys, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    line = refused(capsys, "dlsm_front", "--set", option)
    assert "must have 2 values; got [" in line and list(tmp_path.iterdir()) == []


def test_where_and_how_a_study_runs_is_no_part_of_its_settings_key():
    at = miniature_settings()
    elsewhere = replace_paths(
        at, {"data.root": "/data", "execution.batch_images": "7", "execution.timeouts.train": "9"}
    )
    assert elsewhere.key == at.key != miniature_settings(train__seed="1").key
