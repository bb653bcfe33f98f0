"""The site: the pages of this folder, and a reference made from the docstrings.

The pages are plain Markdown, to be read as files as well. What only a site needs is
here: the order of the pages, and pages that show the source files. Nothing is fetched.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

from kmeans_np import explain, sample_image
from kmeans_np.cli import build_parser
from kmeans_np.explanation import as_playground

PACKAGE = Path(__file__).resolve().parents[1] / "kmeans_np"

project = "kmeans_np"
html_title = "kmeans_np"
extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx.ext.linkcode",
]
extlinks = {"doi": ("https://doi.org/%s", "doi:%s")}
myst_enable_extensions = ["deflist"]
# Links to headings, page.md#a-heading, lead where they lead in the files.
myst_heading_anchors = 3
# The classes say in their docstrings what they hold.
# A name in `backticks` is a link if it is one of the reference.
default_role = "py:obj"
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
add_module_names = False
python_maximum_signature_line_length = 72

html_theme = "furo"
html_static_path = html_css_files = ["site.css"]
html_favicon = "favicon.svg"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_theme_options: dict[str, Any] = {
    "top_of_page_buttons": [],
    "light_css_variables": {
        "color-background-primary": "#fdfcfa",
        "color-background-secondary": "#f6f3ee",
        "color-background-hover": "#f0ece5",
        "color-background-hover--transparent": "#f0ece500",
        "color-background-border": "#dcd8d0",
        "color-foreground-primary": "#1f2530",
        "color-foreground-secondary": "#4b5361",
        "color-foreground-muted": "#6b7280",
        "color-brand-primary": "#c8502d",
        # The accent, darker by as much as small text needs.
        "color-brand-content": "#b0421f",
        "color-brand-visited": "#8a4a38",
        "color-link-underline": "#e3b9aa",
        "color-link-underline--visited": "#dcc9c2",
        "color-sidebar-link-text--top-level": "#1f2530",
        "color-code-background": "#f6f3ee",
        "color-admonition-title--seealso": "#c8502d",
        "color-admonition-title-background--seealso": "#f6f3ee",
        "color-api-name": "#1f2530",
        "color-api-pre-name": "#6b7280",
        "color-highlight-on-target": "#f8e8d8",
        "font-stack--headings": "var(--font-stack)",
    },
    "dark_css_variables": {
        "color-background-primary": "#171a20",
        "color-background-secondary": "#1d2129",
        "color-background-hover": "#262b35",
        "color-background-hover--transparent": "#262b3500",
        "color-background-border": "#343a45",
        "color-foreground-primary": "#e8e4dc",
        "color-foreground-secondary": "#b3b6bd",
        "color-foreground-muted": "#8d939e",
        "color-brand-primary": "#e98a68",
        "color-brand-content": "#f0a184",
        "color-brand-visited": "#cf9f8d",
        "color-link-underline": "#6d4a3e",
        "color-link-underline--visited": "#54463f",
        "color-sidebar-link-text--top-level": "#e8e4dc",
        "color-code-background": "#1d2129",
        "color-admonition-title--seealso": "#e98a68",
        "color-admonition-title-background--seealso": "#1d2129",
        "color-api-name": "#e8e4dc",
        "color-api-pre-name": "#8d939e",
        "color-highlight-on-target": "#3a2c22",
    },
}

# The pages below each index, in order. A star stands for all the others.
PAGES_BELOW = {
    "index": [
        "playground",
        "quick-start",
        "installing",
        "command-line",
        "recipes/README",
        "chapters/README",
        "reference",
        "files",
        "scale",
        "coming-from-scikit-learn",
        "guarantees",
        "benchmarks",
        "changelog",
        "contributing",
        "releasing",
    ],
    "chapters/README": ["*"],
    "recipes/README": ["*"],
}


def list_pages_below(_: Sphinx, page: str, source: list[str]) -> None:
    """Append to an index, for the sidebar, which pages are below it."""
    if page in PAGES_BELOW:
        pages = "\n".join(PAGES_BELOW[page])
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n\n{pages}\n```\n"


def show_playground(_: Sphinx, page: str, source: list[str]) -> None:
    """Append the playground itself to the page about it."""
    if page == "playground":
        source[0] += (
            '\n<p><a href="play.html">Here it is</a> in a window of its own, and here '
            'below:</p>\n<iframe src="play.html" title="K-means, step by step" '
            'style="width:100%;height:75rem;border:0"></iframe>\n'
        )


# How Sphinx spells out what the source calls ArrayLike and NDArray.
MODULE = r"~(?:\w+\.)*"
NESTED = rf"{MODULE}_NestedSequence"
ARRAY_LIKE = re.compile(
    rf"{MODULE}_Buffer \| ({MODULE}_SupportsArray\[{MODULE}dtype\[{MODULE}Any\]\]) \| "
    rf"{NESTED}\[\1\] \| complex \| bytes(?: \| str)? \| "
    rf"{NESTED}\[complex \| bytes \| str\]"
)
ARRAY = re.compile(
    rf"{MODULE}ndarray\[tuple\[{MODULE}Any, \.\.\.\], {MODULE}dtype\[([^]]+)\]\]"
)


def shorten_types(*event: Any) -> tuple[str | None, str | None]:
    """Return a signature and what it returns, with the names that the source has."""
    signature, returned = (
        part and ARRAY.sub(r"NDArray[\1]", ARRAY_LIKE.sub("ArrayLike", part))
        for part in event[-2:]
    )
    return signature, returned


def show_commands(_: Sphinx, page: str, source: list[str]) -> None:
    """Append to the page about the command line every command with its options."""
    if page == "command-line":
        source[0] += "".join(map(_command_page, _commands()))


def _commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command's name and parser."""
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _command_page(command: tuple[str, argparse.ArgumentParser]) -> str:
    """Return the part of the page about one command, in Markdown."""
    name, parser = command
    _, examples = (parser.epilog or "").split("examples:\n", 1)
    lines = "\n".join(line.strip() for line in examples.splitlines())
    text = f"\n## kmeans-np {name}\n\n{parser.description}\n\n```text\n{lines}\n```\n"
    for group in parser._action_groups:
        options = [each for each in group._group_actions if each.dest != "help"]
        if options and group.title:
            title = {"positional arguments": "arguments"}.get(group.title, group.title)
            text += f"\n### {title.capitalize()} of {name}\n\n"
            text += "".join(map(_option, options))
    return text


def _option(option: argparse.Action) -> str:
    """Return an option as an entry of a list of definitions."""
    value = option.metavar or option.dest.upper()
    if option.choices is not None:
        value = "{" + ",".join(map(str, option.choices)) + "}"
    value = "" if option.nargs == 0 else f" {value}"
    names = option.option_strings
    term = ", ".join(f"`{each}{value}`" for each in names) or f"`{value.strip()}`"
    words = (option.help or "").replace("*", r"\*")
    return f"{term}\n: {words[:1].upper()}{words[1:]}.\n\n"


def page_of(file: Path) -> str:
    """Return the name of the page that shows a source file."""
    return f"source/{file.relative_to(PACKAGE.parent).with_suffix('').as_posix()}"


def show_source_files(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Yield a page for every file of the package."""
    highlight = app.builder.highlighter.highlight_block
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE.parent).as_posix()
        code = highlight(file.read_text(encoding="utf-8"), "python", lineanchors="L")
        body = f"<h1>{name}</h1>\n{code}"
        yield page_of(file), {"title": name, "body": body}, "page.html"


def link_to_source_pages(app: Sphinx, document: nodes.document) -> None:
    """Let links to source files lead to the pages that show them."""
    for link in list(document.findall(addnodes.download_reference)):
        folder = (Path(app.srcdir) / link["refdoc"]).parent
        file = (folder / link["reftarget"]).resolve()
        if file.suffix == ".py" and file.is_relative_to(PACKAGE):
            uri = app.builder.get_relative_uri(link["refdoc"], page_of(file))
            link.replace_self(nodes.reference("", "", *link.children, refuri=uri))


def linkcode_resolve(domain: str, info: dict[str, str]) -> str | None:
    """Return where the source of a name in the reference is shown."""
    found: Any = sys.modules.get(info["module"])
    for part in info["fullname"].split("."):
        found = getattr(found, part, None)
    if domain != "py" or not callable(found):
        return None
    file = Path(inspect.getsourcefile(found) or "")
    return f"{page_of(file)}.html#L-{inspect.getsourcelines(found)[1]}"


def write_playground(app: Sphinx, error: Exception | None) -> None:
    """Write the file that the page about the playground shows."""
    if error is None and app.builder.format == "html":
        run = explain(sample_image(), 4, rng=0, title="The built-in picture")
        as_playground(run).save(Path(app.outdir) / "play.html")


def setup(app: Sphinx) -> None:
    """Tell Sphinx about the functions above."""
    app.connect("autodoc-process-signature", shorten_types)
    app.connect("source-read", list_pages_below)
    app.connect("source-read", show_playground)
    app.connect("source-read", show_commands)
    app.connect("html-collect-pages", show_source_files)
    # Before Sphinx collects what there is to download.
    app.connect("doctree-read", link_to_source_pages, priority=400)
    app.connect("build-finished", write_playground)
