"""Tables A4 and A5 of "Denoising likelihood score matching": a search over lambda and alpha.

Question: which pairs of lambda (the weight of the cross entropy in L_Total) and alpha (the factor
of the likelihood score in sampling) give the best images for a given coverage of the classes? The
paper varies one parameter at a time and shows that the two measures conflict: with a larger alpha,
images match their class more clearly, but their distance is larger.

Source: https://arxiv.org/abs/2203.14206, Tables A4 and A5, which report single points. Here lambda
and alpha are searched together with two objectives: the Frechet distance and class-wise coverage.
The result is the Pareto front: the pairs that no other pair beats in both objectives. Both
objectives are measured again on fresh seeds for two pairs: the pair with the least distance on the
front, and the paper's choice (lambda = 1, alpha = 1).

For the methods, the settings and the differences from the paper see `class_table`. At paper scale
the study reuses the classifiers (one per lambda) and the images that the studies of Tables 2, A4
and A5 have stored.

Command: ``python -m studies.run dlsm_front [--scale paper]``
"""

from dataclasses import dataclass

from scorelib.data import Cifar10
from scorelib.errors import require_input
from scorelib.spec import fields_of
from studies.common.claims import between
from studies.common.exhibit import Exhibit
from studies.dlsm import class_settings
from studies.dlsm.class_settings import ClassSettings
from studies.dlsm.class_table import cell, class_study, metric_names
from tuning.cells import Cell, Search
from tuning.spaces import LogUniform, MultiObjectiveSpace
from tuning.stages import Score
from tuning.study import Study

EXHIBIT = Exhibit(
    name="dlsm_front",
    paper="dlsm",
    label="Tables A4 and A5",
    title="lambda and alpha together: the front of distance and class-wise coverage",
    question="Which lambda and alpha give good images that cover their classes?",
    figures=("pareto_fronts", "searches", "noise_schedules", "losses"),
    where={"table": "2", "dataset": "cifar10"},
)
METRICS = ("fid", "cw_coverage")
PAPERS_CHOICE = {"lambda": 1.0, "alpha": 1.0}
CHOSEN, BEST_FOUND = "lambda = 1, alpha = 1", "least distance on the front"


@dataclass(frozen=True, kw_only=True)
class FrontSettings(ClassSettings):
    """Settings of Table 2 and of the search over lambda and alpha.

    Attributes:
        lambdas: lowest and highest lambda of the search, > 0; the range contains 1.
        alphas: lowest and highest alpha of the search, > 0; the range contains 1.
        n_trials: number of pairs that are tried, >= 1; the first pair is the paper's choice.
        round_size: number of pairs that are proposed together, >= 1.
        search_images: images per trial, a multiple of the number of classes.
    """

    KIND = "FrontSettings"

    lambdas: tuple[float, float] = (0.01, 100.0)
    alphas: tuple[float, float] = (0.5, 20.0)
    n_trials: int
    round_size: int = 4
    search_images: int

    def validate(self) -> None:
        """Raises InputError if there are no trials or a range excludes the paper's choice."""
        super().validate()
        require_input(self.n_trials >= 1, f"n_trials must be at least 1, but got {self.n_trials}")
        for name in ("lambdas", "alphas"):
            low, high = getattr(self, name)
            require_input(
                0 < low < high and low <= 1 <= high,
                f"{name} must be a range above 0 that contains 1, the paper's choice, but got "
                f"[{low:g}, {high:g}]",
            )


def demo() -> FrontSettings:
    """Returns settings for digits, with lambda <= 1.

    At this scale the cross entropy dominates the loss for larger lambdas. Each lambda requires a
    training of a classifier; trainings are shorter than those of Table 2, so that the search takes
    minutes.
    """
    at = class_settings.demo().replace(classifier_iterations=300)
    return FrontSettings(**fields_of(at), lambdas=(0.001, 1.0), n_trials=12, search_images=500)


def paper() -> FrontSettings:
    """Returns settings for CIFAR-10."""
    at = class_settings.paper(Cifar10())
    return FrontSettings(**fields_of(at), n_trials=40, search_images=10_000)


def study(scale: str, at: FrontSettings) -> Study:
    """Returns the study: one row per choice of lambda and alpha, one column per objective."""
    search = _search(at)
    cells: list[Cell] = []
    for metric, column in metric_names(METRICS).items():
        protocol = at.protocol(metric)
        cells.append(
            Cell(
                row=BEST_FOUND, column=column, search=search,
                protocol=protocol, n_seeds=at.seeds, quantities=("denoised",),
            )
        )  # fmt: skip
        known = EXHIBIT.reported("Table 2", row="dlsm", metric=metric)
        labels = (CHOSEN, column)
        cells.append(cell(at, metric, at.guided(at.total), labels, known))
    distance = metric_names(METRICS)["fid"]
    claim = between(
        [cell for cell in cells if cell.column == distance],
        "the paper's choice has as low a distance as the best found (lambda and alpha)",
        "Tables A4 and A5",
        rows={CHOSEN: [BEST_FOUND]},
        or_equal=True,
    )
    ordered = sorted(cells, key=lambda c: c.search is None)
    return class_study(EXHIBIT, scale, at, ordered, (search,), (claim,))


def _search(at: FrontSettings) -> Search:
    distance, coverage = (
        at.protocol(metric).replace(n_images=at.search_images, seeds="search") for metric in METRICS
    )
    weight = LogUniform(
        name="lambda", path="sample.classifier.train.objective.lambda_",
        low=at.lambdas[0], high=at.lambdas[1],
    )  # fmt: skip
    factor = LogUniform(name="alpha", path="sample.scale", low=at.alphas[0], high=at.alphas[1])
    return Search(
        name="lambda and alpha",
        space=MultiObjectiveSpace(
            template=Score(sample=at.guided(at.total), protocol=distance),
            parameters=(weight, factor), other_protocols=(coverage,), round_size=at.round_size,
        ),
        n_trials=at.n_trials,
        starts=(PAPERS_CHOICE,),
        starts_from="the paper's choice",
    )  # fmt: skip
