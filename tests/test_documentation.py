"""Tests of the README and the pages in ``docs``: commands, links, length and version."""

import re
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from scorelib.errors import InputError
from scorelib.networks import Ncsnv2
from scorelib.schedules import GeometricSchedule
from scorelib.weights import to_published
from studies.cli.score_studies import COMMANDS as COMMANDS_OF
from studies.opening.open_study import configured
from studies.registry import STUDIES

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
COMMAND_LINES = {
    "studies.run": "studies.cli.options",
    "studies.export": "studies.export",
    **{f"dashboards.{name}": f"dashboards.{name}" for name in
       ("table", "report", "claims", "compare", "serve", "sync")},
}  # fmt: skip
OF_THE_PROJECT = re.compile(
    r"(?:\.venv/bin/)?python(?:3(?:\.\d+)?)? -m ((?:studies|dashboards|tests)\.\w+)(.*)"
)
INSTALLED = re.compile(rf"score-studies ({'|'.join(COMMANDS_OF)})(?= |$)(.*)")
TARGETS = re.compile(r"\bmake ([a-z]+)")
MOST_LINES = 200
FOLLOWED = ("your_own.md", "your_ddpm.md")
EXAMPLE_FOLDER, EXAMPLE_FILE = "/home/me/pictures", "/home/me/checkpoint.pth"


def code_of(page):
    """Yields the code of a page: lines of code blocks, and spans between backticks."""
    text = page.read_text()
    fence = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
    blocks = [block for found in fence.findall(text) for block in found.splitlines()[1:-1]]
    prose = fence.sub("", text)
    blocks += [line for line in prose.splitlines() if line.startswith("    ")]
    spans = re.findall(r"`([^`]+)`", "\n".join(
        line for line in prose.splitlines() if not line.startswith("    ")
    ))  # fmt: skip
    # A command may go on after a backslash at the end of a line.
    return [*"\n".join(blocks).replace("\\\n", " ").splitlines(), *map(_one_line, spans)]


def _one_line(text):
    return " ".join(text.split())


def commands():
    """Yields (page, module, arguments) of each of the project's commands in the pages."""
    for page in PAGES:
        for line in code_of(page):
            if found := OF_THE_PROJECT.search(line):
                yield page.name, found[1], shlex.split(found[2], comments=True)
            elif found := INSTALLED.match(line.strip()):
                yield page.name, COMMANDS_OF[found[1]][0], shlex.split(found[2], comments=True)


def is_example(arguments):
    """Whether the arguments are real: placeholders are in capitals, in brackets or dots."""
    return not any(re.fullmatch(r"[A-Z_]{2,}|.*\.\.\.|[\[(].*", word) for word in arguments)


COMMANDS = list(commands())


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """Returns a folder with enough pictures for any example, in place of the pages' folder."""
    folder = tmp_path_factory.mktemp("user") / "pictures"
    folder.mkdir()
    for i in range(200):
        Image.new("RGB", (8, 8), (i, 2 * i % 256, 255 - i)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    """Returns a file of weights, in place of the pages' file."""
    network, schedule = Ncsnv2(ngf=2), GeometricSchedule(sigma_1=9.0, sigma_L=0.1, n_levels=5)
    file = tmp_path_factory.mktemp("user") / "checkpoint.pth"
    state = network.build((3, 16, 16)).state_dict()
    to_published(file, "ncsnv2", network, schedule, state)
    return file


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= MOST_LINES


def test_the_readme_links_each_page_once():
    links = re.findall(r"\]\(docs/(\w+\.md)[)#]", (ROOT / "README.md").read_text())
    assert sorted(links) == sorted(page.name for page in ROOT.glob("docs/*.md"))


def test_the_readme_counts_the_studies():
    text = (ROOT / "README.md").read_text()
    assert f"lists the {len(STUDIES)} studies" in text


def test_the_version_is_the_same_in_every_file():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(
        rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$",
        (ROOT / "CHANGELOG.md").read_text(),
        re.M,
    )
    files = [*ROOT.glob("docs/*.md"), *(ROOT / "tuning" / "cluster").iterdir()]
    tags = [t for file in files for t in re.findall(r"/score-studies:([\d.]+\d)", file.read_text())]
    assert set(tags) == {version}


def test_there_are_commands_of_every_kind():
    assert {module for _, module, _ in COMMANDS} >= {*COMMAND_LINES, "tests.benchmarks"}


@pytest.mark.parametrize(("page", "module", "arguments"), COMMANDS)
def test_commands_are_taken_by_their_parsers(
    page, module, arguments, pictures, checkpoint
):  # fmt: skip
    arguments = [word.replace(EXAMPLE_FOLDER, str(pictures)) for word in arguments]
    arguments = [word.replace(EXAMPLE_FILE, str(checkpoint)) for word in arguments]
    if module not in COMMAND_LINES:
        import_module(module)  # tests.benchmarks and tests.chaos take a name or nothing
        return
    if not is_example(arguments) or not arguments:
        return
    parser = import_module(COMMAND_LINES[module]).parser()
    try:
        args = parser.parse_args(arguments)
    except SystemExit as end:  # --help and --list print and exit
        assert end.code == 0
        return
    if page in FOLLOWED:
        return  # tests.tutorial runs these commands with the files of these pages
    if getattr(args, "modules", None):
        return  # with components of a user's own
    if getattr(args, "name", None) and ("my_" in args.name or args.name.endswith(".py")):
        return  # a study of a user's own
    if getattr(args, "name", None):
        assert args.name in STUDIES, page
    if getattr(args, "changes", None):
        configured(args.name, args.scale, args.changes)


def test_settings_that_pages_name_alone_are_settings():
    named = set()
    for page in PAGES:
        for line in code_of(page):
            named |= set(
                re.findall(r"(?:--set )?((?:execution|data|projections)\.[a-z_.]+=\S+)", line)
            )
    assert named
    for change in named:
        try:
            configured("cifar_sampling_eps", "demo", [change])
        except InputError as error:
            assert "must be a field" not in str(error), change


def test_targets_of_make_exist():
    rules = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for line in code_of(page):
            assert set(TARGETS.findall(line)) <= rules, (page.name, line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert "://" in target or (page.parent / target).exists(), target
