"""Tests of the options that a command line adds to an error message."""

import pytest

from scorelib.errors import InputError, MissingDataError
from studies.cli.options import parser
from studies.opening.cli_common import Arguments, add_study_arguments, run_command


def reader():
    """Returns a parser like those of commands that only read: no --set, no cluster."""
    made = Arguments()
    add_study_arguments(made)
    return made


@pytest.mark.parametrize(
    ("made", "fields", "options"),
    [
        (parser, (), ""),
        (parser, ("store",), " (--store URL)"),
        (parser, ("tracking_uri",), " (--tracking-uri URI)"),
        (
            parser,
            ("address", "gpus", "allow_cpu"),
            " (--address auto|HOST:PORT, --gpus N, --allow-cpu)",
        ),
        (parser, ("data.root",), " (--set data.root=VALUE)"),
        (parser, ("iteration", "store"), " (--set iteration=VALUE, --store URL)"),
        (reader, ("store",), " (--store URL)"),
        (reader, ("data.root", "allow_cpu"), ""),
    ],
)
def test_an_error_is_one_line_with_the_options_of_its_fields(capsys, made, fields, options):
    def command(args):
        raise MissingDataError(f"{args.name} must\nbe there", *fields)

    assert run_command(made(), command, ["it"]) == 2
    assert capsys.readouterr().err == f"error: it must be there{options}\n"


def test_each_option_of_a_study_can_be_named(capsys):
    for action in parser()._actions:

        def command(args, field=action.dest):
            raise InputError("no", field)

        if action.option_strings and action.dest != "help":
            assert run_command(parser(), command, ["it"]) == 2
            assert action.option_strings[-1] in capsys.readouterr().err
