"""What a launch prints: progress and table for people, or one JSON object a line for programs."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from dashboards.results.cells import StudyView
from dashboards.text.table import table_data
from scorelib.errors import require_input
from studies.cli.notices import Notices
from tuning.scheduling.scheduler import Scheduler
from tuning.scheduling.status import Status


class Output:
    """The output of a launch.

    Args:
        args: parsed arguments; `quiet` leaves out progress, notes and next steps, `json` prints
            JSON alone.
        notices: notices of the launch, which see each status.

    Attributes:
        console: console of the progress.
        is_quiet: whether only the table and errors are printed.
        is_json: whether JSON is printed.

    Raises:
        InputError: both `quiet` and `json` are given.
    """

    def __init__(self, args: argparse.Namespace, notices: Notices) -> None:
        require_input(
            not (args.quiet and args.json),
            "--quiet and --json exclude each other, but got both: JSON is never followed by notes",
        )
        self.is_quiet, self.is_json, self._notices = args.quiet, args.json, notices
        self.console = Console(quiet=args.quiet or args.json)

    def note(self, line: str) -> None:
        """Prints a note or warning of the launch to stderr; warnings also if quiet."""
        if self.is_json:
            self._print({"kind": "note", "text": line})
        elif not self.is_quiet or line.startswith("warning"):
            print(line, file=sys.stderr)

    def on_status(self, status: Status) -> None:
        """Prints the status as JSON, if asked to, and hands it to the notices."""
        if self.is_json:
            self._print({"kind": "progress"} | status)
        self._notices.on_status(status)

    def result(self, view: StudyView, scheduler: Scheduler, state: str) -> None:
        """Prints the result as JSON.

        Args:
            view: results of the study.
            scheduler: scheduler of the study.
            state: "complete", "incomplete" or "stopped".
        """
        data = table_data(view).astype(object)
        self._print({
            "kind": "result", "study": view.study.id, "state": state,
            "cells": data.where(data.notna(), None).to_dict(orient="records"),
            "failures": [
                {"job": job.title(), "key": key, "cause": cause}
                for key, (job, cause) in scheduler.given_up.items()
            ],
        })  # fmt: skip

    @staticmethod
    def _print(body: Mapping[str, Any]) -> None:
        print(json.dumps(body, allow_nan=False), flush=True)
