"""Tests of the architecture: components, allowed imports between them, sizes, unsafe calls."""

import ast
import contextlib
import functools
import graphlib
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("scorelib", "tuning", "studies", "dashboards")
MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))
BELOW = [p for p in MODULES if p.relative_to(ROOT).parts[0] in ("scorelib", "tuning")]
BELOW += sorted((ROOT / "studies" / "common").glob("*.py"))
WORDS_OF_OTHER_COMMANDS = {
    "--address",
    "--porcelain",
    "--untracked-files=no",
    "--literal-pathspecs",
    "--others",
}  # of Ray and git
MOST_MODULES = 15


@functools.cache
def parsed(path):
    """Returns the syntax tree of a file."""
    return ast.parse(path.read_text())


ROOMS = """\
scorelib.errors
scorelib.seeds
scorelib.pictures
scorelib.devices
scorelib.diameter               errors
scorelib.spec_classes           errors
scorelib.limits
scorelib.unicode_forms
scorelib.spec                   errors limits spec_classes
scorelib.field_names
scorelib.field_docs
scorelib.spec_paths             errors field_names limits spec unicode_forms
scorelib.sources                spec
scorelib.step_size              errors
scorelib.data                   errors seeds spec unicode_forms
scorelib.optim                  errors spec
scorelib.schedules              errors spec
scorelib.networks               errors schedules spec
scorelib.samplers               devices errors networks schedules spec step_size
scorelib.guidance               errors networks
scorelib.weights                data errors networks schedules spec
scorelib.exact                  errors samplers schedules step_size
scorelib.losses                 errors guidance networks optim spec
scorelib.training               data devices errors guidance losses networks optim schedules seeds
scorelib.metrics                data devices errors exact networks optim seeds spec training
scorelib.testing                data errors guidance metrics networks samplers schedules spec
                                training
tuning.addresses                scorelib
tuning.own_modules              scorelib addresses
tuning.store                    scorelib addresses
tuning.tracking                 scorelib addresses
tuning.jobs                     scorelib store
tuning.job_runs                 scorelib store jobs
tuning.drivers                  scorelib addresses store
tuning.stages.features          scorelib jobs
tuning.stages.models            scorelib jobs
tuning.stages.training          scorelib jobs stages.models
tuning.stages.protocols         scorelib jobs stages.features
tuning.stages                   scorelib store jobs stages.features stages.models stages.training
                                stages.protocols
tuning.testing                  scorelib store jobs job_runs stages
tuning.spaces                   scorelib store jobs stages
tuning.claims                   scorelib
tuning.cells                    scorelib store jobs stages spaces
tuning.study                    scorelib jobs stages cells claims
tuning.study_size               scorelib jobs study
tuning.search                   scorelib store jobs stages spaces cells
tuning.scheduling               store jobs drivers spaces cells study search
tuning.execution                scorelib addresses own_modules store jobs job_runs drivers stages
                                study scheduling
studies.early
studies.reported
studies.common                  scorelib tuning reported
studies.adversarial.step_sizes  scorelib tuning common
studies.adversarial.choices     scorelib tuning common adversarial.step_sizes
studies.adversarial             scorelib tuning common adversarial.step_sizes
studies.dlsm                    scorelib tuning reported common adversarial.step_sizes
studies.schedules               scorelib tuning common
studies.general                 scorelib tuning common adversarial.step_sizes
studies.definitions             scorelib tuning common
studies.registry                scorelib tuning definitions
studies.opening                 scorelib tuning early definitions registry
dashboards.results              scorelib tuning studies.opening
dashboards.text                 scorelib tuning results
dashboards.drawing
dashboards.figures              scorelib tuning results drawing
dashboards.pictures             tuning results drawing
dashboards.records              scorelib tuning studies.common results text figures pictures
dashboards.comparison           scorelib tuning results text
dashboards.live                 scorelib tuning studies.opening studies.registry results text
                                drawing figures
dashboards.web                  scorelib tuning studies.opening results text drawing figures
                                pictures records comparison live
dashboards.table                studies.opening results text
dashboards.claims               scorelib tuning studies.registry studies.opening results text
dashboards.compare              scorelib tuning studies.opening results text comparison
dashboards.report               tuning studies.opening web
dashboards.serve                scorelib tuning studies.opening live web
dashboards.sync                 scorelib tuning studies.common studies.opening records
studies.cli                     scorelib tuning dashboards common definitions registry opening
studies.api                     scorelib tuning dashboards common registry opening cli
studies.kit                     scorelib tuning common
studies.run                     cli
studies.export                  api opening
"""
"""The components of the packages and their allowed imports.

A component is a folder or a module at the top level of a package. Each row gives a component and
the components it may import: those of its own package without the package name, and whole packages.
An indented line continues the row above. The table is ordered from the lowest layer to the highest,
so imports cannot form a cycle. CONTRIBUTING.md opens with the same text.
"""

FORBIDDEN = {"scorelib": {"ray", "optuna", "mlflow"}, "dashboards": {"ray"}}


def name_of(path):
    """Returns the dotted name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def allowed():
    """Returns, for each component, the full names that it may import."""
    table = {}
    for line in re.sub(r"\n +", " ", ROOMS).splitlines():
        room, *others = line.split()
        package = room.split(".")[0]
        top = {other.split(".")[0] for other in others} & set(PACKAGES)
        table[room] = {
            other if other.split(".")[0] in top else f"{package}.{other}" for other in others
        }
    return table


TABLE = allowed()


def within(name, places):
    """Returns the innermost of some packages that contains a dotted name, or None."""
    found = [place for place in places if name == place or name.startswith(f"{place}.")]
    return max(found, key=len, default=None)


def imports(path):
    """Yields the dotted names of all imports of a module, including lazy imports.

    A name is that of a module or of a member of a module.
    """
    return imports_of(parsed(path))


def imports_of(tree):
    """Yields the imported names of a syntax tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def of_ours(path):
    """Returns the imports of a module that belong to this distribution."""
    return {name for name in imports(path) if name.split(".")[0] in PACKAGES}


def crossings():
    """Yields (importing component, imported name, path) of each import from another component."""
    for path in MODULES:
        own = within(name_of(path), TABLE)
        for name in of_ours(path):
            if within(name, TABLE) != own:
                yield own, name, path


ABOVE = {
    ("studies", "studies.api"), ("studies", "studies.early"), ("dashboards", "studies.early")
}  # fmt: skip


def test_every_module_has_a_room():
    homeless = {name_of(path) for path in MODULES if not within(name_of(path), TABLE)}
    assert homeless == set(PACKAGES), "a new folder is a new room: give it a line in ROOMS"


def test_imports_between_rooms_go_the_allowed_ways_only():
    wrong = []
    for own, name, path in crossings():
        target = within(name, [*TABLE, *PACKAGES])
        if own and not within(target, TABLE[own]):
            wrong.append(f"{path.relative_to(ROOT)} imports {name}")
        if own is None and (name_of(path), target) not in ABOVE:
            wrong.append(f"{path.relative_to(ROOT)} imports {name}, above all rooms")
    assert not wrong, "\n".join(wrong)


def test_the_table_allows_nothing_that_is_not_used():
    used = {(own, within(name, TABLE[own])) for own, name, _ in crossings() if own}
    unused = [(room, other) for room, of in TABLE.items() for other in of]
    assert [pair for pair in unused if pair not in used] == []


def test_the_table_goes_from_the_bottom_to_the_top():
    seen = set()
    for room, others in TABLE.items():
        rooms = {r for other in others for r in TABLE if within(r, [other])}
        assert rooms <= seen | ({"studies.cli", "studies.run"} if room != "studies.cli" else set())
        seen.add(room)


def test_contributing_opens_with_the_table():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert ROOMS in text and "## " not in text[: text.index(ROOMS)]


def test_only_the_command_and_the_python_interface_reach_what_puts_the_layers_together():
    rooms = ["studies.cli", "studies.api"]
    reaching = {
        str(path.relative_to(ROOT))
        for path in MODULES
        if not within(name_of(path), rooms) and any(within(name, rooms) for name in of_ours(path))
    }
    assert reaching == {"studies/run.py", "studies/export.py", "studies/__init__.py"}


def test_no_module_imports_in_a_circle():
    names = {name_of(path) for path in MODULES}
    graph = {
        name_of(path): {within(name, names) for name in of_ours(path)} - {name_of(path)}
        for path in MODULES
        if path.name != "__init__.py"
    }
    packages = {name_of(path) for path in MODULES if path.name == "__init__.py"}
    graph = {name: needs - packages for name, needs in graph.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def test_no_folder_is_too_full_to_be_a_plan():
    folders = {path.parent for path in (*MODULES, *(ROOT / "tests").rglob("*.py"))}
    for folder in folders:
        modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(modules) <= MOST_MODULES, f"{folder.relative_to(ROOT)} has {len(modules)}"


LEFT_OUT = {
    "tests/scorelib": {"tuning", "studies", "dashboards"},
    "tests/tuning": {"studies", "dashboards"},
    "tests/studies": {"dashboards"},
}
"""By folder of tests, the packages above the tested one: no file of the folder imports them."""

SHOWING = ("api/*", "cli/*", "*miniature*", "*/*miniature*", "test_stored_results.py")
"""Files of tests/studies that display studies and therefore need the dashboards."""


@functools.cache
def needed(path):
    """Returns the modules of this distribution and the test helpers that a test file needs.

    Counted are imports of the file, imports in code strings, and modules named in strings, for
    ``python -m`` or to be patched.
    """
    tree = parsed(path)
    names = set(imports_of(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            names |= {node.value} if re.fullmatch(r"\w+(\.\w+)+", node.value) else set()
            with contextlib.suppress(SyntaxError, ValueError):
                names |= set(imports_of(ast.parse(textwrap.dedent(node.value))))
    return names


def needed_by_way_of(path, seen):
    """Yields all (file, name) that a test file needs, directly or through other test files."""
    if path in seen:
        return
    seen.add(path)
    for name in needed(path):
        yield path, name
        parts = name.split(".")
        helpers = [
            ROOT.joinpath(*parts[:n]).with_suffix(".py") for n in (len(parts), len(parts) - 1)
        ]
        for helper in helpers if parts[0] == "tests" else ():
            if helper.is_file():
                yield from needed_by_way_of(helper, seen)


@pytest.mark.parametrize("folder", LEFT_OUT)
def test_tests_need_nothing_above_what_they_test(folder):
    files = set((ROOT / folder).rglob("*.py"))
    if folder == "tests/studies":
        files -= {file for pattern in SHOWING for file in (ROOT / folder).glob(pattern)}
    wrong = {
        f"{file.relative_to(ROOT)} needs {name}"
        + f", by way of {by.relative_to(ROOT)}" * (by != file)
        for file in files
        for by, name in needed_by_way_of(file, set())
        if name.split(".")[0] in LEFT_OUT[folder]
    }
    assert files and not wrong, "\n".join(sorted(wrong))


def test_what_a_file_of_tests_needs_is_found_wherever_it_hides(tmp_path):
    file = tmp_path / "test_hiding.py"
    file.write_text(
        "import tuning.jobs\n"
        "def one():\n    from scorelib.data import Digits\n"
        "CODE = 'import sys\\nfrom studies.registry import STUDIES\\n'\n"
        "COMMAND = ['-m', 'dashboards.table']\n"
        "WORDS = 'from studies to dashboards'\n"
    )
    found = {name for name in needed(file) if within(name, PACKAGES)}
    assert found == {
        "tuning.jobs", "scorelib.data.Digits", "studies.registry.STUDIES", "dashboards.table",
    }  # fmt: skip


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_leaves_to_others_what_is_theirs(package):
    for path in (ROOT / package).rglob("*.py"):
        found = {name.split(".")[0] for name in imports(path)}
        assert not found & FORBIDDEN[package], path


def test_ray_is_imported_in_one_place_only():
    using = {
        str(p.relative_to(ROOT))
        for p in MODULES
        if any(n.split(".")[0] == "ray" for n in imports(p))
    }
    assert using == {"tuning/execution/ray_import.py"}


def test_libraries_of_others_networks_are_imported_where_they_are_needed():
    """Their imports take seconds, which no command may spend at its start."""
    late = {"diffusers", "huggingface_hub", "torch_fidelity"}
    using = set()
    for path in MODULES:
        tree = parsed(path)
        assert not late & {n.split(".")[0] for n in imports_of(ast.Module(body=[
            node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))
        ], type_ignores=[]))}, path  # fmt: skip
        using |= late & {n.split(".")[0] for n in imports_of(tree)}
    assert using == late


def test_pyplot_is_left_to_the_user_of_the_process():
    using = [path for path in MODULES if within("matplotlib.pyplot", set(imports(path)))]
    using += [path for path in MODULES if "matplotlib.use" in path.read_text()]
    assert using == []


def test_what_lies_below_the_command_lines_names_none_of_their_options():
    # Errors name the field; the command line adds the option.
    naming = [
        f"{path.relative_to(ROOT)}:{node.lineno} names an option: {node.value!r}"
        for path in BELOW
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if re.search("--[a-z]", node.value) and node.value not in WORDS_OF_OTHER_COMMANDS
    ]
    assert not naming, "\n".join(naming)


def test_pickle_and_unsafe_loading_are_nowhere():
    for path in MODULES:
        tree = parsed(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pickle.loads", "eval"):
                pytest.fail(f"{path} calls {ast.unparse(node.func)}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                options = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert options.get("weights_only") == "True", path


def test_modules_and_functions_stay_readable():
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in MODULES
        if (lines := path.read_text().count("\n")) > 500
    ]
    long += [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if (lines := node.end_lineno - node.lineno + 1) > 80
    ]
    assert not long, "\n".join(long)
