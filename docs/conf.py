"""How Sphinx makes the site (`make docs`). The pages are plain Markdown that reads well without it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import cocoad

project, author = "cocoad", "The cocoad developers"
project_copyright = author
version = release = cocoad.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["build", "leaderboard-template"]
html_theme = "furo"
html_title = f"cocoad {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}

nb_execution_mode = "off"  # a test runs the notebook; the site shows what is stored in it
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath"]
suppress_warnings = ["myst.header"]  # pages that are parts of a generated table start below the first level

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": False}
napoleon_google_docstring, napoleon_numpy_docstring = True, False
nitpick_ignore_regex = [(r"py:.*", r".*")]  # names of other packages have no page here to link to

# The contents, in their order; a page that no pattern names comes last.
CONTENTS = {
    "Start": ["start", "how-to/install", "coco-ad"],
    "Tutorials": ["tutorial", "tutorials/*"],
    "How to": ["how-to/*"],
    "Reference": ["reference/cli", "reference/api", "metrics", "reference/*", "glossary"],
    "Measured": ["results", "performance", "reliability", "reproduction"],
    "Moving here": ["coming-from-*"],
    "The project": ["architecture", "contributing", "troubleshooting", "cite", "*"],
}
PAGES = {".md", ".rst", ".ipynb"}


def contents(root: Path) -> dict[str, list[str]]:
    """Return each section's pages, all there are below ``root`` but the first page, each once."""
    left = [
        path.relative_to(root).with_suffix("") for path in sorted(root.rglob("*")) if path.suffix in PAGES
    ]
    left.remove(Path("index"))
    found: dict[str, list[str]] = {}
    for section, patterns in CONTENTS.items():
        taken = [
            page
            for pattern in patterns
            for page in left
            if len(page.parts) == pattern.count("/") + 1 and page.match(pattern)
        ]
        found[section] = list(dict.fromkeys(page.as_posix() for page in taken))
        left = [page for page in left if page.as_posix() not in found[section]]
    return found


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Give the first page its table of contents, which would be noise in its Markdown."""
    if page == "index":
        trees = [
            f"\n```{{toctree}}\n:hidden:\n:caption: {section}\n\n" + "\n".join(pages) + "\n```\n"
            for section, pages in contents(Path(app.srcdir)).items()
            if pages
        ]
        source[0] += "".join(trees)


def add_door(app: Sphinx, page: str, source: list[str]) -> None:
    """List in the API's page what `cocoad` and `benchmark` offer, in their own order."""
    if page == "reference/api":
        source[0] = re.sub(r"\.\. door:: (\w+)\n", lambda match: door(match[1]), source[0])


def door(package: str) -> str:
    """Return the directives of a package's public names."""
    import importlib
    import inspect

    module: Any = importlib.import_module(package)
    lines = []
    for name in getattr(module, "__all__", []):
        if name.startswith("__"):
            continue
        kind = "autoclass" if inspect.isclass(getattr(module, name)) else "autofunction"
        members = "\n   :members:" if kind == "autoclass" else ""
        lines.append(f".. {kind}:: {package}.{name}{members}\n")
    return "\n".join(lines) + "\n"


def unlink_folders(app: Sphinx, page: str, source: list[str]) -> None:
    """Leave links to folders of the repository to readers of the Markdown: the site has no page for them."""
    here = (Path(app.srcdir) / page).parent

    def plain(match: re.Match[str]) -> str:
        return match[1] if (here / match[2]).is_dir() else match[0]

    source[0] = re.sub(r"\[([^\]]+)\]\(([^)#:\s]+)\)", plain, source[0])


def show_examples(app: Sphinx, context: Any, lines: list[str]) -> None:
    """Set a help's example commands as they are typed, and leave out what the page says once."""
    shown = [line[2:] for line in lines if line.startswith("|   ")]  # sphinx-click's bars for click's own \\b
    lines[:] = [".. code-block:: sh", "", *shown, ""] if shown else []


def setup(app: Sphinx) -> None:
    """Register what changes pages as they are read."""
    app.connect("source-read", add_contents)
    app.connect("source-read", add_door)
    app.connect("source-read", unlink_folders)
    app.connect("sphinx-click-process-epilog", show_examples)
