"""The newest samples of a study: pictures of cells and of trials, latest first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dashboards.results.cells import StudyView
from dashboards.results.searches import shown_value
from dashboards.text.rounding import rounded
from scorelib.pictures import enlargement
from tuning.spaces.trial import Trial
from tuning.stages import Chunk, PictureChunk, RealFeatures, Score
from tuning.stages.frames import Frames
from tuning.stages.nearest import Nearest
from tuning.store.store import Store

_Pictures = Chunk | PictureChunk | RealFeatures
_LATEST_TRIALS = 2


@dataclass(frozen=True)
class Pictured:
    """Stored pictures of the first images of one stream.

    Attributes:
        title: what the images are of.
        text: numbers measured on them, as text; "" if unknown.
        stage: stage of the job that holds the pictures.
        key: key of that job.
        names: names of the pictures without ".png": "raw" and "denoised", or one of them.
        path: page about them, relative to the study's page.
        size: height and width of an image in pixels; None for a scatter plot of points.
    """

    title: str
    text: str
    stage: str
    key: str
    names: tuple[str, ...]
    path: str
    size: tuple[int, int] | None = None

    @property
    def enlarged(self) -> int:
        """Pixels of a picture for each pixel of an image, in both directions."""
        return enlargement(self.size[1]) if self.size else 1

    @property
    def density(self) -> int:
        """Pixels of a picture for each pixel of a page of small size."""
        return 2 if self.size is None or self.enlarged > 1 else 1


def newest(view: StudyView, store: Store, most: int) -> list[Pictured]:
    """Returns the newest samples, latest first.

    Args:
        view: results of the study so far.
        store: store of the study.
        most: number of pairs of pictures, >= 1.
    """
    found = {job.key: (job, make) for job, *make in _candidates(view)}
    dated = [
        (at, key) for key, (job, _) in found.items() if (at := store.committed_at(job.stage, key))
    ]
    shown = []
    for _, key in sorted(dated, reverse=True):
        job, (title, text, path) = found[key]
        if pictured := pictures_of(job, store, title, text, path):
            shown.append(pictured)
        if len(shown) == most:
            break
    return shown


def pictures_of(job: _Pictures, store: Store, title: str, text: str, path: str) -> Pictured | None:
    """Returns the stored pictures of a job; None if there are none.

    Args:
        job: job that holds the first images of a stream.
        store: store of the study.
        title: what the images are of.
        text: numbers measured on them.
        path: page about them, relative to the study's page.
    """
    manifest = store.manifest(job.stage, job.key)
    files = manifest.files if manifest else {}
    names = tuple(name for name in ("raw", "denoised") if f"{name}.png" in files)
    size = _size(job.shape if isinstance(job, PictureChunk) else job.data.shape)
    return Pictured(title, text, job.stage, job.key, names, path, size) if names else None


def picture_of(job: Frames | Nearest | None, store: Store, title: str) -> Pictured | None:
    """Returns a job's only picture; None without the job or its picture.

    Args:
        job: job that draws a picture of images.
        store: store of the study.
        title: what the picture shows.
    """
    manifest = store.manifest(job.stage, job.key) if job else None
    if job is None or manifest is None:
        return None
    names = tuple(file.removesuffix(".png") for file in manifest.files if file.endswith(".png"))
    size = _size(job.sample.target.shape)
    return Pictured(title, "", job.stage, job.key, names, "", size) if names else None


def _size(shape: Sequence[int]) -> tuple[int, int] | None:
    return (shape[-2], shape[-1]) if len(shape) > 1 else None


def first_chunk(trial: Trial) -> Chunk | None:
    """Returns the job that holds the first images of a trial; None if it measures no images."""
    return trial.score.chunks()[0] if isinstance(trial.score, Score) else None


def trial_title(trial: Trial) -> str:
    """Returns a trial's number and values, such as "trial 3: epsilon 0.012"."""
    values = ", ".join(f"{name} {shown_value(value)}" for name, value in trial.values.items())
    return f"trial {trial.number}: {values}"


def _candidates(view: StudyView) -> Iterator[tuple[_Pictures, str, str, str]]:
    """Yields jobs with pictures: those of cells, and of the latest trials of each search."""
    for number, run in enumerate(view.runs.values()):
        done = [trial for trial in run.trials if trial.result is not None]
        for trial in done[-_LATEST_TRIALS:]:
            if job := first_chunk(trial):
                text = "" if trial.value is None else f"{trial.value:.4g}"
                title = f"{run.search.name}, {trial_title(trial)}"
                yield job, title, text, f"search/{number}#trial-{trial.number}"
    for number, cell in enumerate(view.cells):
        if cell.first_images is not None:
            text = " / ".join(rounded(of) for of in cell.measured.values())
            yield cell.first_images, cell.cell.name, text, f"cell/{number}"
