"""Renders pages from templates; all values are escaped, except `Markup` such as our own assets."""

from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

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
