"""Does a wider network draw better rings? Own data, network, schedule, extractor and metric."""

import torch

from studies import kit


@kit.spec
class Rings(kit.DataSpec):
    name, n_classes, shape = "rings", 1, (1, 8, 8)

    def n_images(self, split):
        return 800 if split == "train" else 200

    def load(self, split, root=None):
        draw, n = torch.Generator().manual_seed(len(split)), self.n_images(split)
        centre = 2.5 + 2 * torch.rand(2, n, 1, 1, generator=draw)
        offsets = torch.arange(8.0)[:, None] - centre[0], torch.arange(8.0) - centre[1]
        return (-((torch.hypot(*offsets) - 2) ** 2)).exp()[:, None], torch.zeros(n).long()


class Eps(kit.ScoreNetwork):  # predicts the noise eps; sigma * score is minus eps
    def __init__(self, width):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(65, width), torch.nn.SiLU(), torch.nn.Linear(width, 64)
        )

    def forward(self, x, sigma):
        s = sigma.expand(len(x))[:, None]
        u = (2 * x.flatten(1) - 1) / (1 + 4 * s**2).sqrt()
        return -(u + self.net(torch.cat([u, s.log()], 1))).reshape(x.shape)


@kit.spec
class EpsSpec(kit.NetworkSpec):
    width: int
    conditional = True

    def build(self, shape):
        return Eps(self.width)


@kit.spec
class Blur(kit.Extractor):
    name, n_features, n_classes = "blur", 16, 0

    def build(self, weights):
        return Means()


class Means(torch.nn.Module):  # features: the mean of each square of four pixels; no classes
    def forward(self, x):
        return torch.nn.functional.avg_pool2d(x, 2).flatten(1), x.new_zeros(len(x), 0)


@kit.spec
class Ink(kit.Protocol):  # metric: how far the mean brightness is from the rings' own
    name, lower_is_better = "ink", True

    def measure(self, images, at):
        ink = at.images(self.data, "train")[0].mean()
        return kit.Measurement(abs((images.values.mean() - ink).item()))


@kit.spec
class Settings(kit.StudySettings):
    widths: tuple[int, ...] = (16, 256)
    iterations: int = 2000


SCALES = {"demo": Settings}


def study(at):
    levels = kit.ExplicitSchedule(sigmas=(4.0, 2.0, 1.0, 0.6, 0.35, 0.2, 0.12, 0.07))
    cells = []
    for width in at.widths:
        train = kit.TrainSpec(
            data=Rings(), network=EpsSpec(width=width), schedule=levels, objective=kit.Dsm(),
            optimizer=kit.AdamSpec(learning_rate=2e-3), ema=(0.99,), batch_size=64)  # fmt: skip
        model = kit.Snapshot(train=train, iteration=at.iterations)
        images = kit.SampleSpec(model=model, ema=0.99, sampler=kit.Als(n_sigma=20, epsilon=5e-4))
        for metric in (kit.FidProtocol, Ink):
            by = metric(extractor=Blur(), data=Rings(), n_images=500, seeds="fresh")
            cells += [kit.Cell(row=f"width {width}", column=by.name, sample=images, protocol=by)]
    return kit.Study(cells=tuple(cells), title="How wide a network rings need")
