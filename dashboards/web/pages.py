"""Pages from templates: everything that is put into one is escaped unless it is our own asset."""

from typing import Any

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

_PAGES = Environment(loader=PackageLoader("dashboards.web"), autoescape=True)


def render(name: str, **values: Any) -> str:
    """A template of `dashboards/web/templates` with these values."""
    return _PAGES.get_template(name).render(**values)


def css() -> Markup:
    """The style that all pages share, in both colour schemes."""
    return asset("base.css")


def asset(name: str) -> Markup:
    """A file of `dashboards/web/templates` as it is."""
    assert _PAGES.loader is not None
    source, *_ = _PAGES.loader.get_source(_PAGES, name)
    return Markup(source)
