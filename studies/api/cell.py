"""The results of a cell: its numbers, settings, images and network."""

import base64
import difflib
import html
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from dashboards.results.cells import CellView, Measured
from dashboards.results.stored_pictures import grids
from scorelib.errors import InputError
from scorelib.field_names import hint
from scorelib.unicode_forms import known_form
from studies.cli.preflight import data_root
from studies.opening.cli_common import UNREADABLE
from tuning.jobs import ExecutionContext, Job
from tuning.stages import OUTPUTS, Output, SampleSpec
from tuning.stages.first_images import first_images
from tuning.store.store import Store
from tuning.study import Study


class CellResult:
    """The results of a cell of a study's table.

    Args:
        view: results of the cell.
        study: study of the cell.
        store: store of the study.
    """

    def __init__(self, view: CellView, study: Study, store: Store) -> None:
        self._view, self._study, self._store = view, study, store

    @property
    def row(self) -> str:
        """Label of the row."""
        return self._view.cell.row

    @property
    def column(self) -> str:
        """Label of the column."""
        return self._view.cell.column

    @property
    def values(self) -> dict[str, Measured]:
        """Measured numbers by quantity, each with `mean`, `spread` and the `values` of the seeds.

        Empty until the results of all seeds are stored.
        """
        return dict(self._view.measured)

    @property
    def spec(self) -> SampleSpec | Job:
        """The images that the cell measures, with the first seed, or the job that it shows.

        Raises:
            InputError: the cell is not measured, or the search of its settings is not finished.
        """
        found = self._view.sample or self._view.cell.sample or self._view.cell.job
        if found is None:
            why = "its search is not finished" if self._view.cell.search else "it is only reported"
            raise InputError(
                f"the cell {self._view.cell.name} must have settings, but {why}: launch the study "
                "again, or choose another cell"
            )
        return found

    @property
    def epsilon(self) -> float | None:
        """Sampling step size, data units squared; None if the cell has no step size (yet)."""
        return self._view.sample.epsilon if self._view.sample else None

    @property
    def within_noise(self) -> tuple[float, float] | None:
        """Lowest and highest step size that cannot be told from the best by the search's images.

        In the unit of the search, epsilon in data units squared or r; None if the cell comes from
        no search over the step size, or before its end.
        """
        return self._view.within_noise

    @property
    def sampled(self) -> SampleSpec:
        """The generated images that the cell is about, with the first seed.

        Raises:
            InputError: the cell is not measured on generated images, or has no settings yet.
        """
        spec = self.spec
        parts = [spec] if isinstance(spec, SampleSpec) else spec.parts()
        found = next((part for part in parts if isinstance(part, SampleSpec)), None)
        if found is None:
            raise InputError(
                f"the cell {self._view.cell.name} must be measured on generated images, but is "
                f"measured by {type(spec).__name__}: choose another cell"
            )
        return found

    def samples(self, n_images: int, which: Output = "denoised", seed: int | None = None) -> Tensor:
        """Returns images of the cell, the same at every call.

        Images that the store does not keep are sampled again from their seed, equal up to rounding
        to those that were measured. The images of whole chunks (`spec.chunk_images`) are sampled.

        Args:
            n_images: number of images, >= 1; more than were measured continue the measured ones.
            which: "raw" images, which still contain a little noise, or "denoised" images.
            seed: seed of the images: 1 up to the number of seeds for the measured images, any other
                number for fresh ones; None for the first measured seed.

        Returns:
            Images, float32 (n_images, C, H, W), multiples of 1 / 255 in [0, 1]; points of synthetic
            data sets, (n_images, D), in data units.

        Raises:
            InputError: the cell has no images (yet), its network is not in the store, or `which` is
                neither "raw" nor "denoised".
        """
        known("kind of images", which, OUTPUTS)
        spec = self.sampled
        if seed is not None:
            spec = spec.replace(seed=seed)
        try:
            return first_images(spec, n_images, which, self.context())
        except UNREADABLE as error:
            raise self.lost(error) from error

    def network(self) -> nn.Module:
        """Returns the score network with the cell's EMA weights, frozen, in eval mode.

        The network maps noisy images, (N, C, H, W), and noise levels sigma to sigma * score.

        Raises:
            InputError: the cell has no network (yet), or its weights are not in the store.
        """
        spec = self.sampled
        try:
            return spec.model.score_network(self.context(), spec.ema)
        except UNREADABLE as error:
            raise self.lost(error) from error

    def context(self) -> ExecutionContext:
        """Returns the context in which images of the cell are sampled here."""
        settings: Any = self._study.settings
        wants_gpu = self.sampled.model.wants_gpu()
        return ExecutionContext(
            store=self._store,
            device="cuda" if wants_gpu and torch.cuda.is_available() else "cpu",
            batch_images=settings.execution.batch_images,
            data_root=data_root(settings),
        )

    def lost(self, error: Exception) -> InputError:
        """Returns the error that says that something of the cell is missing from the store."""
        return InputError(
            f"the networks of the cell {self._view.cell.name} must be in the store, but got "
            f"{error}: launch the study again"
        )

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name} {value}" for name, value in self.values.items())
        return f"{self._view.cell.name}: {numbers or self._view.failed or 'not measured yet'}"

    def _repr_html_(self) -> str:
        pictures = "".join(
            f'<img alt="{html.escape(name)}" src="data:image/png;base64,'
            f'{base64.b64encode(data).decode()}" style="image-rendering: pixelated; width: 45%">'
            for name, data in grids(self._view, self._store).items()
        )
        return f"<p>{html.escape(repr(self))}</p>{pictures}"


def known(what: str, given: str, names: Iterable[str]) -> str:
    """Returns the one of some names that is given, in any Unicode form.

    Args:
        what: what the names are of, for the message.
        given: the name that the user gives.
        names: the names to choose from.

    Raises:
        InputError: none of the names is given; the message suggests the nearest.
    """
    names = list(dict.fromkeys(names))
    found = known_form(given, names) if isinstance(given, str) else given
    if found not in names:
        near = difflib.get_close_matches(str(given), names, n=1)
        listed = ", ".join(map(repr, names)) or "nothing so far"
        raise InputError(f"the {what} must be one of {listed}, but got {given!r}{hint(near)}")
    return found
