"""Pages from templates. They load nothing: they contain their style and images."""

from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from .draw import Figure
from .palette import DARK, LIGHT, css_variables
from .svg import inline_svg
from .text import clean


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    environment.filters["svg"] = lambda figure: Markup(_image(figure))
    return environment


def _image(figure: Figure) -> str:
    return inline_svg(figure.drawing, figure.name, figure.title)


def render(template: str, **values: Any) -> str:
    style = resources.files(__package__).joinpath("templates/style.css").read_text("utf-8")
    schemes = {name: Markup(css_variables(colours)) for name, colours in (("light", LIGHT), ("dark", DARK))}
    return _environment().get_template(template).render(style=Markup(style), **schemes, **values)
