"""A store whose studies are shown: those that were run, and those that were not."""

import threading
from dataclasses import dataclass

from dashboards.live.study import LiveStudy
from scorelib.errors import InputError
from studies.opening.cli_common import command_line
from studies.opening.open_study import last_run_studies
from studies.registry import STUDIES, find_study
from tuning.drivers.driver import Driver
from tuning.execution.resources import likely_device
from tuning.scheduling.forecast import forecast, total
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


@dataclass(frozen=True)
class Offer:
    """A way to run a study that was not run yet.

    Attributes:
        scale: scale of the study.
        meaning: what the scale means.
        command: command that runs the study.
        cost: what the study would cost on this store, as text.
    """

    scale: str
    meaning: str
    command: str
    cost: str


class LiveStore:
    """The studies of a store as they are now.

    Args:
        store: the store.
        elsewhere: option that names the store on a command line, such as "--store s3://bucket/x";
            "" for the default store.
    """

    def __init__(self, store: Store, elsewhere: str) -> None:
        self.store, self._elsewhere = store, elsewhere
        self._observer, self._lock = Driver(store), threading.Lock()
        self._studies: dict[str, LiveStudy] = {}
        self._offers: dict[str, list[Offer]] = {}

    @property
    def sync_command(self) -> str:
        """Command that writes what MLflow and Optuna show of the store."""
        return " ".join(filter(None, (command_line("dashboards.sync"), self._elsewhere)))

    def studies(self) -> tuple[list[LiveStudy], dict[str, InputError]]:
        """Returns the studies that were run, and why others cannot be read, by their ids."""
        found = last_run_studies(self.store)
        with self._lock:
            before, self._studies = self._studies, {}
            for study in found.studies:
                known = before.get(study.id)
                if known is None or known.study.settings != study.settings:
                    known = LiveStudy(study, self.store, self._observer)
                self._studies[study.id] = known
            return list(self._studies.values()), found.unreadable

    def study(self, name: str) -> LiveStudy | None:
        """Returns a study that was run; None if there is none of this name and scale."""
        return next((known for known in self.studies()[0] if known.study.id == name), None)

    def unrun(self) -> dict[str, str]:
        """Returns the titles of the project's studies that were run at no scale, by name."""
        run = {name.rpartition("-")[0] for name in self.store.document_names("studies")}
        return {name: entry.title for name, entry in STUDIES.items() if name not in run}

    def question(self, name: str) -> str:
        """Returns the question of a study of the project."""
        definition = find_study(name)
        scale = next(iter(definition.scales))
        return definition.study(scale, definition.settings(scale)).question

    def offers(self, name: str) -> list[Offer]:
        """Returns how a study of the project can be run on this store, and what it would cost.

        Args:
            name: name of the study.

        Raises:
            InputError: there is no such study.
        """
        with self._lock:
            if name not in self._offers:
                self._offers[name] = [self._offer(name, scale) for scale in STUDIES[name].scales]
            return self._offers[name]

    def _offer(self, name: str, scale: str) -> Offer:
        definition = find_study(name)
        study = definition.study(scale, definition.settings(scale))
        device = likely_device(study)
        left = total(forecast(Scheduler(study, self.store), self.store, device))
        words = [command_line("studies.run"), name, self._elsewhere]
        words += [f"--scale {scale}"] if scale != "demo" else []
        time_left, one = left.time_left or "no time", device.removesuffix(" x1")
        cost = f"{left.n_to_run:,} jobs, {time_left} on one {one}"
        return Offer(scale, STUDIES[name].scales[scale], " ".join(filter(None, words)), cost)
