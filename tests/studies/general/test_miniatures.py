"""Tests of the general studies in miniature."""

import pytest

from tests.studies.miniature_contract import MiniatureContract
from tests.studies.miniatures import studies_of


@pytest.mark.parametrize("finished", studies_of("general"), indirect=True)
class TestEveryStudy(MiniatureContract):
    """The checks for every study, on the general studies."""
