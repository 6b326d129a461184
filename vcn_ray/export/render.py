"""The template engine of the pages and of what notebooks show: everything is escaped, nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from vcn_ray.export.charts import clock, span_text


def render_page(template: str, **values: Any) -> bytes:
    """A page of `templates/` as UTF-8 HTML.

    All values are escaped. The page's own policy forbids it to load anything from elsewhere, and to run any script
    but the one written into it.
    """
    script = _asset("page.js")
    fingerprint = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    page = _template(template).render(
        # Our own files, which hold no user text: the only values that are not escaped.
        style=Markup(_asset("style.css")),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=f"sha256-{fingerprint}",
        **values,
    )
    return page.encode()


def render_fragment(template: str, **values: Any) -> str:
    """A piece of HTML or SVG of `templates/`, for a notebook's cell or a file of its own. All values are escaped."""
    return _template(template).render(**values)


@cache  # compiling one takes as long as rendering it
def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vcn_ray.export", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clock": clock, "span": span_text, "count": _count, "several": several}
    return environment.get_template(name)


def _asset(name: str) -> str:
    return files("vcn_ray.export").joinpath("templates", name).read_text(encoding="utf-8")


def _count(number: float) -> str:
    return f"{number:,}".replace(",", "\u202f")


def several(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: 1 track, 2 tracks."""
    return f"{_count(number)}\u00a0{one if number == 1 else many or one + 's'}"
