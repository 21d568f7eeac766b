"""Tests of the content of the error for wrong input."""

import copy
import pickle

import pytest

from scorelib.errors import InputError, MissingDataError


@pytest.mark.parametrize("kind", [InputError, MissingDataError])
@pytest.mark.parametrize("travel", [copy.copy, lambda e: pickle.loads(pickle.dumps(e))])
def test_message_and_fields_survive_a_way_to_another_process(kind, travel):
    error = travel(kind("the store must be there", "store", "data.root"))
    assert type(error) is kind and str(error) == "the store must be there"
    assert error.fields == ("store", "data.root")
    assert kind("no").fields == ()
