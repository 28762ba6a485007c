"""Pages that open from disk: templates with their style and script inside, and a policy that forbids all others."""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from typing import Any

from cocoad import __version__


def rendered(package: str, name: str, scripts: tuple[str, ...], **values: Any) -> bytes:
    """Return the page that a template makes.

    Templates may import the report's ``macros.html``, and are given ``style``, ``script``, ``policy`` and
    ``version`` beside ``values``. The browser itself refuses any other script and all requests, whatever a record
    may hold.

    Args:
        package: that holds the template.
        name: of its file.
        scripts: files of the report, in their order.
        values: that the template names.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    room = files("benchmark.report")
    script = "".join(room.joinpath(part).read_text(encoding="utf-8") for part in scripts)
    style = room.joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda part: room.joinpath(part).read_text(encoding="utf-8")),
    )
    template = environment.from_string(files(package).joinpath(name).read_text(encoding="utf-8"))
    text = template.render(
        **values, version=__version__, policy=policy, script=Markup(script), style=Markup(style)
    )
    return text.encode("utf-8", errors="replace")
