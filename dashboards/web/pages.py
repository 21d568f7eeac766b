"""Renders pages from templates; all values are escaped, except `Markup` such as our own assets."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from scorelib.errors import InputError
from tuning.store.files import write_output

_PAGES = Environment(loader=PackageLoader("dashboards.web"), autoescape=True)


def render(name: str, **values: Any) -> str:
    """Renders a template of `dashboards/web/templates` with the given values."""
    return _PAGES.get_template(name).render(**values)


def css() -> Markup:
    """Returns the style sheet of all pages, for light and dark colour schemes."""
    return asset("base.css")


def asset(name: str) -> Markup:
    """Returns a file of `dashboards/web/templates` unchanged."""
    assert _PAGES.loader is not None
    source, *_ = _PAGES.loader.get_source(_PAGES, name)
    return Markup(source)


def require_page_file(target: Path, name: str) -> None:
    """Raises InputError unless a page can be written to a file in an existing folder.

    Args:
        target: file to write.
        name: name of the option or argument that gives the file, for the message.
    """
    try:
        is_possible = target.parent.is_dir() and not target.is_dir()
    except OSError as error:
        raise InputError(f"{name} must be writable, but {target}: {error.strerror}") from error
    if not is_possible:
        raise InputError(f"{name} must be a file in an existing folder; got {str(target)!r}")


def write_page(target: Path, page: str, name: str) -> None:
    """Writes a page to a file; raises InputError, with `name` as its subject, if that fails."""
    try:
        write_output(target, page.encode())
    except OSError as error:
        raise InputError(f"{name} must be writable, but {target}: {error.strerror}") from error
