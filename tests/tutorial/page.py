"""The snippets of two pages of ``docs``: files to save, commands to run and cells of a notebook."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
OWN, DDPM = "your_own.md", "your_ddpm.md"

_STEP_SIZES = {
    "train.iterations": 20, "train.network.width": 16, "n_images": 20, "chunk_images": 10,
    "search.n_trials": 2, "search.n_images": 10, "search.top_images": 20, "search.keep": 1,
    "n_sigma": [1], "seeds": 1,
}  # fmt: skip
_COMMAND, _CHANGE = "run sampling_eps --set images=pictures", '"images": "pictures"'

SIZES = {OWN: {
    "range(400)": "range(24)",
    _COMMAND: " --set ".join([_COMMAND, *(f"{k}={v}" for k, v in _STEP_SIZES.items())]),
    _CHANGE: ", ".join([_CHANGE, *(f'"{k}": {v}' for k, v in _STEP_SIZES.items())]),
    "samples(64)": "samples(8)",
    "width = [64, 128]": "width = [8, 16]",
    "trials = 8": "trials = 3",
    "keep = [2]": "keep = [1]",
    "iterations = [300, 900]": "iterations = [4, 8]",
    "images = [200, 400]": "images = [10, 20]",
    "n_images = 400": "n_images = 20\nchunk_images = 10",
    "[train.data]": "[train]\nbatch_size = 8\n\n[train.schedule]\nn_levels = 9\n\n[train.data]",
    "(16, 256)": "(4,)",
    "[16,64,256]": "[4,6]",
    "iterations: int = 2000": "iterations: int = 40",
    "$PWD/shared": "$PWD/store",  # where the same jobs are finished
}, DDPM: {
    "range(1000)": "range(2)",
    "(16, 32)": "(8, 16)",
}}  # fmt: skip
"""The small sizes that the test suite puts in place of texts of a page, by page."""

_BLOCK = re.compile(r"(?:[aA]s `([\w.]+)`:\n\n)?```(\w+)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Snippet:
    """A block of the page.

    Attributes:
        kind: "file", "commands" or "cell".
        text: content of the block.
        name: name of a file; "" for other snippets.
    """

    kind: str
    text: str
    name: str = ""

    @property
    def commands(self):
        """Returns the lines of commands."""
        return self.text.splitlines() if self.kind == "commands" else []


def snippets(page=OWN, *, small=False):
    """Returns the blocks of a page in order.

    Args:
        page: name of the page.
        small: whether to put the small sizes in place.
    """
    text = (DOCS / page).read_text()
    for long, short in SIZES[page].items() if small else ():
        assert long in text, f"the page no longer holds {long!r}"
        text = text.replace(long, short)
    return [
        Snippet("file" if name else {"bash": "commands", "python": "cell"}[language], block, name)
        for name, language, block in _BLOCK.findall(text)
    ]


def file_of(name):
    """Returns the content of a file of the page."""
    (found,) = [snippet.text for snippet in snippets() if snippet.name == name]
    return found
