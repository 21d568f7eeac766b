"""The command that runs a study and prints its table and what to do next."""

import argparse
import shlex
import sys
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from rich.console import Console

from dashboards.results.cells import StudyView, read_study
from dashboards.results.plan import print_plan
from dashboards.text.table import render
from scorelib.errors import InputError
from studies.cli.launch import Launched, assumed_device, existing_store, launched_study
from studies.cli.launch_options import LaunchOptions
from studies.cli.notices import Event, Notices
from studies.cli.options import (
    RUN_FLAGS,
    options_given,
    parser,
    print_settings,
    print_studies,
)
from studies.cli.output import Output
from studies.cli.pieces import pieces_of
from studies.cli.preflight import present_data_notes, warnings_of
from studies.opening.cli_common import DEFAULT_STORE, command_line, run_command
from studies.opening.open_study import configured, require_origin
from studies.registry import STUDIES, find_study
from tuning.addresses import without_secrets
from tuning.execution.stop import STOPPED, StopRequest, end_at_once
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.store.sources import require_own_sources
from tuning.study import Study

_EVENTS: Mapping[str, Event] = {"complete": "done", "incomplete": "failing", "stopped": "stopped"}
"""The event that a notice tells of, by the state at the end of a launch."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code (see `studies.opening.cli_common`).

    Args:
        argv: arguments without the program's name; None for those of the process.
    """
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    if args.list:
        print_studies(args.name)
        return 0
    if args.name is None:
        raise InputError("the following arguments are required: NAME")
    settings = _settings(args, args.scale)
    if args.show_settings or args.toml:
        return print_settings(settings, args)
    study = find_study(args.name).study(args.scale, settings)
    options = LaunchOptions(**{f.name: getattr(args, f.name) for f in fields(LaunchOptions)})
    notices = Notices(args.notify, study.id)
    output = Output(args, notices)
    if args.plan:
        _print_plan(study, options, Console())
        return 0
    stop = StopRequest(at_last=end_at_once)
    try:
        with launched_study(
            study, options, output.console, output.note, stop, output.on_status
        ) as launched:
            view = read_study(launched.scheduler, launched.store)
            state = _state(launched)
            notices.tell(_EVENTS[state], f"{state}, {_cells_done(view)}", is_last=True)
            if output.is_json:
                output.result(view, launched.scheduler, state)
                return _exit_code(launched, view)
            return _close(args, launched, view)
    except Exception as error:
        notices.end(error)
        raise
    finally:
        notices.wait()


def _settings(args: argparse.Namespace, scale: str) -> Any:
    """Returns the settings of the study at a scale, with the changes that are given."""
    changes = args.changes + ([f"seeds={args.seeds}"] if args.seeds else [])
    return configured(args.name, scale, changes, args.config)


def _state(launched: Launched) -> str:
    """Returns how a launch has ended: "complete", "incomplete" or "stopped"."""
    if launched.stop.is_set:
        return "stopped"
    return "complete" if launched.scheduler.is_complete() else "incomplete"


def _cells_done(view: StudyView) -> str:
    cells = [cell for cell in view.cells if cell.cell.is_measured]
    return f"{sum(bool(cell.measured) for cell in cells)} of {len(cells)} cells measured"


def _exit_code(launched: Launched, view: StudyView) -> int:
    """Returns the exit code of a launch.

    Raises:
        InputError: no search of the study has a result, because all trials failed.
    """
    state = _state(launched)
    if state != "complete":
        return STOPPED if state == "stopped" else 1
    if (why := _all_failed(launched.scheduler)) is not None:
        raise InputError(why)
    cells = [cell for cell in view.cells if cell.cell.is_measured]
    return 1 if cells and all(cell.failed is not None for cell in cells) else 0


def _print_plan(study: Study, options: LaunchOptions, console: Console) -> None:
    known, device = existing_store(options), assumed_device(options, study)
    require_own_sources(known, study.specs())
    require_origin(known, study)
    scheduler = Scheduler(study, known)
    rows = forecast(scheduler, known, device)
    notes = present_data_notes(study, known) + warnings_of(study)
    pieces_of(study, known)
    if study.name in STUDIES and not study.kind:
        notes = [f"scale {study.scale}: {STUDIES[study.name].scales[study.scale]}", *notes]
    print_plan(study, scheduler, rows, device, notes, console)


def _all_failed(scheduler: Scheduler) -> str | None:
    """Returns why the searches of a study found nothing; None if one of them has a winner."""
    runs = list(scheduler.searches.values())
    if not runs or any(run.winner is not None for run in runs):
        return None
    results = [trial.result for run in runs for trial in run.trials]
    cause = next((result.failed for result in results if result), None)
    return f"a trial must give numbers, but all {len(results)} trials failed: {cause}"


def _close(args: argparse.Namespace, launched: Launched, view: StudyView) -> int:
    """Prints the table and the next steps, and returns the exit code.

    Raises:
        InputError: no search of the study has a result, because all trials failed.
    """
    sys.stdout.write(render(view, "rich", Console().width))
    again = f"{command_line('studies.run')} {options_given(args, RUN_FLAGS)}"
    if launched.stop.is_set:
        words = f"Stopped ({launched.stop.reason}). Finished jobs are kept; to continue: {again}"
        print(f"\n{words}", flush=True)
        launched.stop.is_told = True
        return STOPPED
    for job, cause in launched.scheduler.given_up.values():
        print(f"\nfailed: {job.title()}: {cause}")
    cells = [cell for cell in view.cells if cell.cell.is_measured]
    failed = [cell for cell in cells if cell.failed is not None]
    if failed:
        first = f"{failed[0].cell.name}: {failed[0].failed}"
        print(f"\n{len(failed)} of {len(cells)} cells failed; the first is {first}")
    if not launched.scheduler.is_complete():
        print(f"\nThe study is not complete. To try again: {again}")
    code = _exit_code(launched, view)
    if code == 0 and not args.quiet:
        _print_next(args, view)
    return code


def _print_next(args: argparse.Namespace, view: StudyView) -> None:
    print("\nNext:")
    if args.tracking_uri:
        print(f"  open {without_secrets(args.tracking_uri)}, experiment {view.study.full_name}")
    elsewhere = "" if args.store == DEFAULT_STORE else f" --store {shlex.quote(args.store)}"
    serve, report = command_line("dashboards.serve"), command_line("dashboards.report")
    print(f"  {serve}{elsewhere}   # shows results and MLflow in a browser")
    print(f"  {report} {options_given(args, ('module', 'scale', 'store'))}")
    if args.scale == "demo" and _is_at_paper_scale(args, view.study.settings):
        again = options_given(args, ("module", "config", "set", "seeds", "store"))
        print(f"  {command_line('studies.run')} {again} --scale paper --plan")


def _is_at_paper_scale(args: argparse.Namespace, settings: Any) -> bool:
    """Returns whether the study also exists at paper scale with the options that are given."""
    definition = find_study(args.name)
    if "paper" not in definition.scales or getattr(settings, "job", None) is not None:
        return False  # the sweep of a user's job is the same at both scales
    try:
        definition.study("paper", _settings(args, "paper"))
    except InputError:
        return False
    return True
