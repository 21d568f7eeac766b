"""Figures 11 to 14 of a report on noise schedules: the initial noise and the classes of images.

Question: do chains that start from more noise spread more evenly over the ten digits? One network
is trained from sigma_1 = 1 and one from sigma_1 = 30, both on geometric schedules. A classifier
sorts their images, and the study counts the classes whose 95% interval contains one tenth.

Source: the report named in `schedule_table`, Figures 11 to 14. The figures give no shares. The text
says that no class reaches a tenth from sigma_1 = 1, and that eight classes do from sigma_1 = 30, by
a classifier of 99.5% accuracy. The report states neither the number of images, nor the interval,
nor the snapshot. Here these are `n_images`, Wilson's interval (`scorelib.metrics.class_shares`) and
the last snapshot. A further column shows the training images: the digits of MNIST are not equally
frequent (9.0 to 11.2%), so even the training images do not reach a tenth in all classes.

Command: ``python -m studies.run mnist_initial_noise [--scale paper]``

The report mirrors its training images, digits too, so about half of the digits that its networks
generate are mirror images. The classifier was not trained on mirrored digits, so the way it sorts
them affects the shares at paper scale. ``--set train.flips=false`` measures the spread over the
classes alone.

The sheets of samples correspond to Figures 11 and 12. The trainings are those of `mnist_schedules`:
on a store with the results of that study, no network is trained again.

Demo scale: as in `mnist_schedules`, digits of 8 x 8 pixels and sigma_1 = 5 instead of 30. The few
levels start from sigma_1 = .17 instead of 1, since less noise covers so few pixels. The network for
the few levels is therefore trained separately.
"""

from dataclasses import dataclass

from scorelib.data import Mnist
from scorelib.errors import require_input
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.spec import added_later, fields_of
from studies.common.claims import between
from studies.common.exhibit import Exhibit
from studies.schedules import mnist_schedules
from studies.schedules.schedule_table import FEW_LEVELS, REPORT, LevelSettings
from tuning.cells import Cell, Reported
from tuning.jobs import Job
from tuning.stages import DataShares, GeneratedShares, TrainClassifier
from tuning.stages.shares import REACHING, share_of
from tuning.study import Study

EXHIBIT = Exhibit(
    name="mnist_initial_noise",
    paper=REPORT,
    label="Figures 11-14",
    title="Shares of the digits among the images, from little and from much noise",
    question="Do chains that start from more noise spread more evenly over the digits?",
    figures=("class_shares", "noise_schedules", "losses"),
    notes=(
        "a class reaches a share if its 95% interval (Wilson's) contains the share",
        f"the report's numbers are for {Mnist.name} with L = 10, sigma_1 = 1 and L = 200, "
        "sigma_1 = 30; the report states neither the number of images nor the interval",
    ),
    where={"table": "text-7"},
)
TRAINING_DATA = "training data"


@dataclass(frozen=True, kw_only=True)
class InitialNoiseSettings(LevelSettings):
    """Settings that define the study at a scale.

    Attributes:
        classifier: classifier that sorts the images.
        seeds: number of fresh seeds of the images from each network, >= 1.
    """

    KIND = "InitialNoiseSettings"

    classifier: ClassifierSpec
    seeds: int = added_later(1)

    def validate(self) -> None:
        """Checks the classifier and the seeds.

        Raises:
            InputError: the classifier has another number of classes than the training images, or
                `seeds` is below 1; also as `LevelSettings.validate`.
        """
        super().validate()
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")
        data, own = self.train.data, self.classifier.data
        require_input(
            own.n_classes == data.n_classes,
            f"classifier.data must have the {data.n_classes} classes of {data.name}, but "
            f"{own.name} has {own.n_classes}",
        )


def demo() -> InitialNoiseSettings:
    """Returns settings for digits; the network of the many levels is that of `mnist_schedules`."""
    return _of(mnist_schedules.demo(), n_images=3000).replace(few=FEW_LEVELS.replace(sigma_1=0.17))


def paper() -> InitialNoiseSettings:
    """Returns settings for MNIST, with the networks of `mnist_schedules`."""
    return _of(mnist_schedules.paper(), n_images=10_000, iterations=6000, batch_size=128)


def _of(of: LevelSettings, n_images: int, **classifier: int) -> InitialNoiseSettings:
    shared = fields_of(of, LevelSettings) | {"n_images": n_images}
    return InitialNoiseSettings(
        **shared, classifier=ClassifierSpec(data=of.train.data, **classifier)
    )


def study(scale: str, at: InitialNoiseSettings) -> Study:
    """Returns the study: one row per class, one column per initial noise level."""
    classifier = ClassifierFeatures(classifier=at.classifier)
    sources: dict[str, tuple[Job, ...]] = {
        column: tuple(
            GeneratedShares(
                sample=at.sample("geometric", levels, seed=1 + i),
                n_images=at.n_images,
                extractor=classifier,
            )
            for i in range(at.seeds)
        )
        for column, levels in at.columns.items()
    }
    sources[TRAINING_DATA] = (DataShares(data=at.train.data, split="train"),)
    n_classes = at.train.data.n_classes
    rows = {f"digit {label}": share_of(label) for label in range(n_classes)}
    rows[f"reach {1 / n_classes:.0%}"] = REACHING
    cells = [
        Cell(
            row=row,
            column=column,
            job=jobs[0],
            repeats=jobs[1:],
            n_seeds=len(jobs),
            quantities=(quantity,),
            reported=_reported(at, column) if quantity == REACHING else {},
        )
        for row, quantity in rows.items()
        for column, jobs in sources.items()
    ]
    accuracy = "test_accuracy"
    known = EXHIBIT.reported("footnote 2", metric="accuracy", row="classifier=3-layer")
    cells.append(
        Cell(
            row="accuracy",
            column="test data",
            job=TrainClassifier(classifier=at.classifier),
            quantities=(accuracy,),
            reported={accuracy: known},
        )
    )
    *few, many = at.columns
    claim = between(
        [cell for cell in cells if cell.quantities == (REACHING,)],
        "chains that start from more noise reach the equal share in more classes",
        "Section 7",
        columns={many: few},
        lower=False,
    )
    return EXHIBIT.study(scale, at, cells, claims=(claim,))


def _reported(at: InitialNoiseSettings, column: str) -> dict[str, Reported]:
    """Returns the reported number of classes that reach their share from an initial noise level.

    The column of the training data has no reported number.
    """
    if column not in at.columns:
        return {}
    known = EXHIBIT.reported(
        "Section 7, initial noise", metric="classes_reaching", row="schedule=geometric",
        column="sigma_1=1" if at.columns[column] is at.few else "sigma_1=30",
    )  # fmt: skip
    return {REACHING: known}
