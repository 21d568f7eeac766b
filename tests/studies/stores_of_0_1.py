"""Stores of every study in miniature, as created by version 0.1.

`stores_of_0_1.tar.xz` contains the manifests, ledgers and settings (without the files of the jobs),
and the tables that version 0.1 printed, as CSV.
"""

import tarfile
from pathlib import Path

ARCHIVE = Path(__file__).with_name("stores_of_0_1.tar.xz")

with tarfile.open(ARCHIVE) as archive:
    NAMES = sorted({member.name.split("/")[0] for member in archive.getmembers()})


def unpack(folder):
    """Unpacks all stores into a folder, each under the name of its study."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder
