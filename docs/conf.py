"""How Sphinx builds these pages as a site: ``sphinx-build docs build/docs``. tests/docs/test_site.py builds it, too.

Pages are Markdown that reads well without a build, too. Two of them are generated while they are built: the Python
reference from docstrings, and the command line reference from the parser.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent))

from command_line import commands_as_markdown
from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "vtex-tracking"
release = version = version_of("vtex-tracking")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["maintainers.md"]  # read in the repository

smartquotes = False  # they would change the hyphens of options
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_copyright = False
html_theme_options = {"navigation_with_keys": True}

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_use_ivar = True


def _add_commands(_: Sphinx, name: str, source: list[str]) -> None:
    """Add every command to the page about the command line."""
    if name == "reference/command-line":
        source[0] += commands_as_markdown()


def setup(app: Sphinx) -> None:
    """Generate what is generated."""
    app.add_lexer("csv", TextLexer)
    app.connect("source-read", _add_commands)
