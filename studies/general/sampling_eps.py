"""The step size of annealed sampling on any images: compares samplers, each at its best step size.

Rows are samplers with some steps per noise level. The step size epsilon of every row is found by a
search and measured again with fresh seeds. One setting names the images; the training, the features
of the distances and the protocol use these images:

    python -m studies.run sampling_eps --set images=/home/me/pictures

A checkpoint that was trained elsewhere takes the place of the training (docs/your_checkpoint.md):

    python -m studies.run sampling_eps --set model=checkpoint.pth --set images=/home/me/pictures

Demo scale: small and on a CPU. Photographs embedded in scikit-learn replace the user's images, of
16 x 16 pixels; a residual perceptron is trained for 2,000 iterations, and each cell is measured on
400 images for each of two seeds. A folder of 400 pictures took 165 CPU seconds, of all processes
together; two workers share them. The numbers compare samplers; a network of this size does not make
good images.

Paper scale: the published network and settings of "Adversarial score matching and improved sampling
for image generation" (NCSNv2, 300,000 iterations, FID on 10,000 images), by default on CIFAR-10. A
folder is read with 32 x 32 pixels. A GPU is needed.

`general.image_settings` describes the settings that follow the images. Reported numbers are shown
for published models alone (`general.reported_numbers`).
"""

from scorelib.data import Cifar10, Photographs
from scorelib.losses import Dsm
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import Ncsnv2, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.common.distances import baselines
from studies.common.exhibit import Exhibit
from studies.common.initial_step_sizes import SAMPLERS
from studies.common.step_size_search import SearchSettings, step_size_search
from studies.general.image_settings import ImageTraining, SamplingEpsSettings
from studies.general.metrics import DISTANCE
from studies.general.reported_numbers import (
    reported_alone,
    reported_fields,
    reported_notes,
    row_label,
)
from tuning.cells import Cell, Search
from tuning.stages import FidProtocol, SampleSpec
from tuning.study import Study

EXHIBIT = Exhibit(
    name="sampling_eps",
    paper="",
    label="Step sizes",
    title="Raw / denoised distance by sampler, each at its best step size",
    question="Which sampler makes the best images, each at its own best step size?",
    figures=("step_sizes", "searches", "losses"),
)


def demo() -> SamplingEpsSettings:
    """Returns settings that are small and run on a CPU."""
    return SamplingEpsSettings(
        images=Photographs(),
        train=ImageTraining(
            network=ResidualMlp(width=256, depth=3),
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-3),
            ema=0.99,
            batch_size=64,
            iterations=2000,
        ),
        chunk_images=200,
        search=SearchSettings(n_trials=20, round_size=1, n_images=200, top_images=400, keep=2),
        n_sigma=(1, 3),
        n_images=400,
        seeds=2,
    )


def paper() -> SamplingEpsSettings:
    """Returns the published network and settings."""
    return SamplingEpsSettings(
        images=Cifar10(),
        train=ImageTraining(
            network=Ncsnv2(),
            objective=Dsm(),
            schedule=GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232),
            optimizer=AdamSpec(learning_rate=1e-4),
            ema=0.9999,
            batch_size=128,
            flips=True,
            iterations=300_000,
        ),
        extractor=InceptionFeatures(),
        chunk_images=500,
        search=SearchSettings(n_trials=16, round_size=1, n_images=5000, top_images=10_000, keep=2),
        n_sigma=(1, 5),
        n_images=10_000,
        seeds=3,
    )


def study(scale: str, at: SamplingEpsSettings) -> Study:
    """Returns the study: for each sampler and number of steps, a search and a cell."""
    first, *others = at.protocols
    levels, cells = at.score_model.levels, []
    for name in at.samplers:
        earlier: Search | None = None
        for n_sigma in at.n_sigma:
            row = row_label(name, n_sigma)
            start = at.search.start(name, n_sigma, levels, is_first=n_sigma == at.n_sigma[0])
            sample = SampleSpec(
                model=at.score_model,
                ema=at.ema,
                sampler=SAMPLERS[name].of(start, n_sigma),
                start=at.start,
                chunk_images=at.chunk_images,
                precision=at.sampling_precision,
            )
            earlier = step_size_search(row, at.search, sample, first, after=earlier)
            cells += [
                Cell(
                    row=row,
                    column=protocol.name if others else at.images.name,
                    search=earlier,
                    protocol=protocol,
                    n_seeds=at.seeds,
                    **reported_fields(at.published, name, n_sigma, protocol),
                )
                for protocol in at.protocols
            ]
    distances = [protocol for protocol in at.protocols if isinstance(protocol, FidProtocol)]
    cells += reported_alone(at.published, [cell for cell in cells if cell.protocol in distances])
    return EXHIBIT.study(
        scale,
        at,
        cells,
        searches=dict.fromkeys(cell.search for cell in cells if cell.search),
        snapshots=at.score_model.needed_jobs(),
        baselines=tuple(b for p in distances for b in baselines(p)),
        notes=(*at.notes, *reported_notes(at.published)),
        figures=EXHIBIT.figures if at.model is None else ("step_sizes", "searches"),
        title=None if at.metrics == (DISTANCE,) else _title(at),
    )


def _title(at: SamplingEpsSettings) -> str:
    """Returns the title of a table of other metrics than the distance."""
    first, *_ = names = [protocol.name for protocol in at.protocols]
    return f"Raw / denoised {', '.join(names)} by sampler, each at its best step size by {first}"
