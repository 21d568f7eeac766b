"""The published models whose networks exist here, with the numbers reported for them.

A user gives the name of a model and the authors' file. The table has no digests of the files, since
no published file was at hand. The numbers are those reported, comparable only with numbers of the
same protocol. All of these networks take data in [0, 1], and levels are in these units.

References:
    Song and Ermon 2019, https://arxiv.org/abs/1907.05600 (ncsn).
    Song and Ermon 2020, https://arxiv.org/abs/2006.09011 (ncsnv2).
    Jolicoeur-Martineau et al. 2021, https://arxiv.org/abs/2009.05475 (acsm).
    Song et al. 2021, https://arxiv.org/abs/2011.13456 (ve).
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scorelib.data import CelebA, Cifar10, DataSpec, Ffhq, Lsun, Mnist
from scorelib.errors import InputError
from scorelib.networks import DdpmUNet, Ncsn, NcsnPp, Ncsnv2, NetworkSpec
from scorelib.networks.ncsn import PUBLISHED_LEVELS
from scorelib.schedules import GeometricSchedule, Schedule
from scorelib.weights.checkpoint import Checkpoint
from scorelib.weights.layouts import PublishedFormat
from scorelib.weights.reading import read

DATA_RANGE = (0.0, 1.0)
"""Range of the data on which all of these networks were trained, before noise is added."""


@dataclass(frozen=True)
class Reported:
    """A reported Frechet inception distance.

    Attributes:
        fid: the number.
        sampler: how samples were drawn: "als", "cas", or other words for a sampler that does not
            exist here.
        n_sigma: steps per noise level; None if not stated or without meaning.
        epsilon: step size of the sampling, for data in [0, 1]; None if not stated here.
        denoised: whether the samples were denoised at the end.
        n_images: number of samples.
        statistics: what the samples were compared with, in words.
    """

    fid: float
    sampler: str
    n_sigma: int | None
    epsilon: float | None
    denoised: bool
    n_images: int
    statistics: str


@dataclass(frozen=True)
class PublishedModel:
    """A published file of weights.

    Attributes:
        name: name of the model on the command line.
        format: layout of the file.
        network: the architecture.
        schedule: the noise levels of the training.
        data: the data set of the training.
        ema: whether the file holds averaged weights, of which the reported numbers are.
        place: where the authors' archive has the file, in words.
        reported: numbers reported for the model; empty if none was.
        reference: the paper.
    """

    name: str
    format: PublishedFormat
    network: NetworkSpec
    schedule: Schedule
    data: DataSpec
    place: str
    reference: str
    ema: bool = True
    reported: tuple[Reported, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image."""
        return self.data.shape

    def read(self, path: Path | str, *, sha256: str | None = None) -> Checkpoint:
        """Returns the weights in a file of this model.

        Args:
            path: the file.
            sha256: digest that the file must have; None for any.

        Raises:
            InputError: the file is not of this model's format, network or schedule.
        """
        return read(
            path,
            self.format,
            network=self.network,
            schedule=self.schedule,
            sha256=sha256,
            ema=self.ema,
        )


TTUR = "statistics of the 50,000 training images by TTUR's Inception"
_SCORE_SDE = (
    "cifar10_stats.npz of the 50,000 training images by TF-GAN's Inception, the lowest over the "
    "training"
)
_DEEPER, _DEEPEST = (1, 2, 2, 4, 4), (1, 2, 2, 2, 4, 4)
_NCSN, _NCSNV2 = "Song and Ermon 2019", "Song and Ermon 2020"
_ACSM, _VE = "Jolicoeur-Martineau et al. 2021", "Song et al. 2021"


def _levels(sigma_1: float, n_levels: int) -> GeometricSchedule:
    return GeometricSchedule(sigma_1=sigma_1, sigma_L=0.01, n_levels=n_levels)


def _ncsn() -> Iterator[PublishedModel]:
    # That 50,000 samples were drawn is not confirmed.
    fid = Reported(25.32, "als", 100, 2e-5, False, 50_000, TTUR)
    for name, ngf, data in (
        ("cifar10", 128, Cifar10()), ("celeba", 128, CelebA(size=32)), ("mnist", 64, Mnist()),
    ):  # fmt: skip
        yield PublishedModel(
            name=f"ncsn-{name}",
            format="ncsn",
            network=Ncsn(ngf=ngf),
            schedule=PUBLISHED_LEVELS,
            data=data,
            ema=False,
            place="run.zip: run/logs/.../checkpoint.pth, or checkpoint_STEP.pth",
            reported=(fid,) if name == "cifar10" else (),
            reference=_NCSN,
        )


def _ncsnv2() -> Iterator[PublishedModel]:
    cifar: tuple[str, int, float] = ("als", 5, 6.2e-6)
    celeba: tuple[str, int, float] = ("als", 5, 3.3e-6)
    test = "celeba_test_fid_stats.npz, the test images"
    reported = {
        "cifar10": (
            Reported(10.87, *cifar, True, 50_000, TTUR),
            Reported(31.75, *cifar, False, 50_000, TTUR),
        ),
        "celeba": (
            Reported(10.23, *celeba, True, 10_000, test),
            Reported(28.86, *celeba, False, 10_000, test),
        ),
    }
    data: DataSpec
    for name, data, multipliers, sigma_1, n_levels in (
        ("cifar10", Cifar10(), (1, 2, 2, 2), 50, 232),
        ("celeba", CelebA(size=64), (1, 2, 2, 2), 90, 500),
        # Paper and README say 96 pixels, the shipped configuration 64; the weights fit either.
        ("church", Lsun(category="church_outdoor"), _DEEPER, 140, 788),
        ("bedroom", Lsun(category="bedroom", size=128), _DEEPER, 190, 1086),
        ("tower", Lsun(category="tower", size=128), _DEEPER, 190, 1086),
        ("ffhq", Ffhq(), _DEEPEST, 348, 2311),
    ):
        yield PublishedModel(
            name=f"ncsnv2-{name}",
            format="ncsnv2",
            network=Ncsnv2(multipliers=multipliers),
            schedule=_levels(sigma_1, n_levels),
            data=data,
            place="exp/logs/.../checkpoint_STEP.pth, or best_with_denoise",
            reported=reported.get(name, ()),
            reference=_NCSNV2,
        )


_ACSM_FIDS: dict[str, dict[tuple[str, int], tuple[float, float]]] = {
    "cifar10": {
        ("als", 1): (13.3, 11.8), ("cas", 1): (12.3, 10.8),
        ("als", 5): (10.9, 9.5), ("cas", 5): (11.2, 9.7),
    },
    "church": {
        ("als", 1): (40.3, 36.7), ("cas", 1): (40.7, 36.7),
        ("als", 5): (39.2, 35.8), ("cas", 5): (39.1, 35.4),
    },
    "cifar10-unet": {
        ("als", 1): (7.5, 7.5), ("cas", 1): (7.1, 7.1),
        ("als", 5): (5.6, 6.1), ("cas", 5): (6.1, 6.5),
    },
}  # fmt: skip
"""Reported numbers of denoised samples, 10,000 each: without and with adversarial training."""

_ACSM_UNET_50K = (3.65, 4.02)


def _acsm() -> Iterator[PublishedModel]:
    church = "church_outdoor_train_fid_stats64.npz, the training images"
    data: DataSpec
    network: NetworkSpec
    for name, data, network, schedule, folders in (
        ("cifar10", Cifar10(), Ncsnv2(), _levels(50, 232), ("cifar10_bs128_L2_9999ema",) * 2),
        (
            "church", Lsun(category="church_outdoor"), Ncsnv2(multipliers=_DEEPER),
            _levels(140, 788), ("church_bs128_L2_999ema",) * 2,
        ),
        (
            "cifar10-unet", Cifar10(), DdpmUNet(centres_input=False), _levels(50, 232),
            (
                "cifar10_unet_bs128_L2_9999ema_lr1e-4",
                "cifar10_unet_bs128_L2_adam0_9_adamD-5_9_LSGAN__Diter2",
            ),
        ),
    ):  # fmt: skip
        statistics = church if name == "church" else TTUR
        for i, training in enumerate(("", "-adversarial")):
            reported = [
                Reported(fids[i], *sampler, None, True, 10_000, statistics)
                for sampler, fids in _ACSM_FIDS[name].items()
            ]
            if name == "cifar10-unet":
                reported.append(
                    Reported(_ACSM_UNET_50K[i], "als", None, None, True, 50_000, statistics)
                )
            yield PublishedModel(
                name=f"acsm-{name}{training}",
                format="adversarial-score-matching",
                network=network,
                schedule=schedule,
                data=data,
                place=f"exp/logs/{folders[i]}.../checkpoint_STEP.pth",
                reported=tuple(reported),
                reference=_ACSM,
            )


def _ve() -> Iterator[PublishedModel]:
    sampler = "predictor-corrector, 1,000 steps, snr 0.16"
    for deep, n_blocks, fid in (("", 4, 2.38), ("_deep", 8, 2.20)):
        yield PublishedModel(
            name=f"ve-cifar10-ncsnpp{deep.replace('_', '-')}-continuous",
            format="score-sde",
            network=NcsnPp(n_blocks=n_blocks),
            schedule=_levels(50, 1000),
            data=Cifar10(),
            place=f"ve/cifar10_ncsnpp{deep}_continuous/checkpoints/checkpoint_N.pth",
            reported=(Reported(fid, sampler, None, None, True, 50_000, _SCORE_SDE),),
            reference=_VE,
        )


PUBLISHED: dict[str, PublishedModel] = {
    model.name: model for models in (_ncsn(), _ncsnv2(), _acsm(), _ve()) for model in models
}
"""The published models by name."""


def published_model(name: str) -> PublishedModel:
    """Returns the published model of a name; raises InputError if there is none."""
    if name not in PUBLISHED:
        near = difflib.get_close_matches(name, PUBLISHED, n=1)
        hint = f"; the nearest is {near[0]}" if near else ""
        raise InputError(
            f"a published model must be one of {', '.join(PUBLISHED)}; got {name!r}{hint}",
            "published",
        )
    return PUBLISHED[name]
