"""Takes the network of a cell out of a store: weights, config, model card, images.

    python -m studies.export NAME ROW COLUMN -o FOLDER [--scale demo|paper] [--store URL]
                             [--images N] [--as png|npz] [--layout LAYOUT]

`scorelib.load` gives the network back from the folder. `--layout` also writes ``checkpoint.pth`` in
the layout of the authors' program.
"""

import argparse
import sys
from pathlib import Path

from studies.api.exporting import CHECKPOINT, LAYOUTS
from studies.api.results import Run
from studies.opening.cli_common import Arguments, add_study_arguments, command_line, run_command
from studies.opening.open_study import open_study


def parser() -> Arguments:
    """Returns the parser of the command line."""
    made = Arguments(
        prog=command_line("studies.export"), description=(__doc__ or "").split("\n")[0]
    )
    add_study_arguments(made)
    made.add_argument("row", metavar="ROW", help="label of the row, as in the table")
    made.add_argument("column", metavar="COLUMN", help="label of the column, as in the table")
    made.add_argument("-o", required=True, metavar="FOLDER", dest="folder", help="new folder")
    made.add_argument(
        "--images", type=int, default=0, metavar="N", help="also write N images; default: none"
    )
    made.add_argument(
        "--as", choices=("png", "npz"), default="png", dest="images_as",
        help="format of the images; default: png",
    )  # fmt: skip
    made.add_argument(
        "--layout", choices=LAYOUTS, help=f"also write {CHECKPOINT} in an authors' layout"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    scheduler, store = open_study(args)
    folder = Path(args.folder)
    digest = Run(scheduler, store).export(
        args.row, args.column, folder,
        n_images=args.images, images_as=args.images_as, layout=args.layout,
    )  # fmt: skip
    print(f"wrote {folder}: weights with SHA-256 {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
