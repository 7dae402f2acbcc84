"""Pages and cards from Jinja templates, each beside the module that fills it."""

from pathlib import Path

import jinja2

SHARED = Path(__file__).parent


def read_template(module: str, name: str) -> jinja2.Template:
    """The template `name` beside the file `module`; what is put into HTML is escaped, and what is not given is an error. It may include `player.js`."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(module).parent, SHARED]),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template(name)
