"""The search over the step size of one row of a table, by sampler and steps per noise level."""

from dataclasses import dataclass

from scorelib.errors import require_input
from scorelib.samplers import AnnealedSampler
from scorelib.schedules import Schedule
from scorelib.spec import Spec, added_later
from studies.common.initial_step_sizes import initial_step_size
from tuning.cells import TOLERANCE, Search
from tuning.spaces import Rung, StepSizeSpace
from tuning.stages import Protocol, SampleSpec, Score


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Spec):
    """Settings of the search over the step size of each cell.

    Attributes:
        n_trials: largest number of step sizes that are tried, >= 1.
        round_size: number of step sizes that are proposed together, >= 1.
        n_images: images per trial, >= 2.
        top_images: images per trial for the best `keep` trials, >= `n_images`.
        keep: number of trials that are measured again on `top_images` images, >= 1.
        als_epsilon: first step size of ALS at the first value of `n_sigma`, in squared data units,
            > 0; None to start from r = 4.8.
        cas_epsilon: first step size of CAS at the first value of `n_sigma`, in squared data units,
            > 0; None to start from r = 1.5.
        tolerance: expected improvement, relative to the best distance, below which a search ends
            once its best step sizes are bracketed, >= 0 and < 1; 0 for `n_trials` trials.
    """

    KIND = "SearchSettings"

    n_trials: int
    round_size: int
    n_images: int
    top_images: int
    keep: int
    als_epsilon: float | None = None
    cas_epsilon: float | None = None
    tolerance: float = added_later(TOLERANCE)

    def validate(self) -> None:
        """Raises InputError if a number is outside its range."""
        require_input(
            min(self.n_trials, self.keep) >= 1 and self.top_images >= self.n_images,
            "a search needs n_trials >= 1, keep >= 1 and top_images >= n_images, but got "
            f"n_trials={self.n_trials}, keep={self.keep}, n_images={self.n_images}, "
            f"top_images={self.top_images}",
        )
        require_input(
            0 <= self.tolerance < 1,
            f"tolerance must be at least 0 and below 1, but got {self.tolerance:g}",
        )

    def start(self, name: str, n_sigma: int, schedule: Schedule, *, is_first: bool) -> float:
        """Returns the step size that a search starts with: the given step size, or by `START_R`.

        Args:
            name: sampler, a key of `SAMPLERS`.
            n_sigma: steps per noise level, >= 1.
            schedule: noise schedule.
            is_first: whether `n_sigma` is the first value, for which a step size may be given.
        """
        given = {"als": self.als_epsilon, "cas": self.cas_epsilon}.get(name)
        if given is not None and is_first:
            return given
        return initial_step_size(name, n_sigma, schedule)


def step_size_search(
    name: str,
    wanted: SearchSettings,
    sample: SampleSpec,
    protocol: Protocol,
    *,
    after: Search | None = None,
    model_of: Search | None = None,
) -> Search:
    """Returns a search over the step size of a sampler, in rounds, with a ladder of one rung.

    Args:
        name: name of the search.
        wanted: numbers of trials and images.
        sample: images of the first trial; the sampler's step size starts the search.
        protocol: protocol of the numbers in the table.
        after: search whose best step size, converted to this sampler, is tried first; None for no
            such search.
        model_of: search that selects the network; None for the network of `sample`.
    """
    assert isinstance(sample.sampler, AnnealedSampler)
    first = {sample.sampler.STEP_SIZE: sample.sampler.step_size}
    return Search(
        name=name,
        space=StepSizeSpace(
            template=Score(
                sample=sample, protocol=protocol.replace(n_images=wanted.n_images, seeds="search")
            ),
            round_size=wanted.round_size,
        ),
        n_trials=wanted.n_trials,
        starts=(first,),
        ladder=(Rung(n_images=wanted.top_images, keep=wanted.keep),),
        after=after,
        model_of=model_of,
        tolerance=wanted.tolerance,
    )


def require_n_sigma(n_sigma: tuple[int, ...]) -> None:
    """Raises InputError unless the setting `n_sigma` holds step counts, each once."""
    require_input(
        0 < len(set(n_sigma)) == len(n_sigma) and min(n_sigma) >= 1,
        f"n_sigma must hold step counts, at least 1 and each once, but got {n_sigma}",
    )


def require_choice(given: tuple[str, ...], known: tuple[str, ...], field: str) -> None:
    """Raises InputError unless a setting holds names of the table, each once.

    Args:
        given: value of the setting.
        known: names that may be chosen.
        field: name of the setting.
    """
    require_input(
        0 < len(set(given)) == len(given) and set(given) <= set(known),
        f"{field} must hold {field} of the table, each once, from {known}, but got {given}",
    )
