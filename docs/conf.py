"""How the documentation is built: `make docs`."""

from typing import Any

import otoscope

project = "otoscope"
author = "The otoscope authors"
copyright = "The otoscope authors"
version = release = otoscope.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["examples"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
nitpicky = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types and units stand in the docstrings
numpydoc_show_class_members = False

html_theme = "furo"
html_title = f"otoscope {release}"
html_show_sphinx = False
html_static_path = ["_static"]
html_css_files = ["otoscope.css"]
_FONTS = {
    "font-stack": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "font-stack--monospace": "ui-monospace, 'SF Mono', Menlo, Consolas, monospace",
}
html_theme_options = {
    "light_css_variables": {
        **_FONTS,
        "color-brand-primary": "#0B6E6E",
        "color-brand-content": "#0B6E6E",
        "color-brand-visited": "#0B6E6E",
        "color-background-primary": "#FBFAF7",
        "color-foreground-primary": "#1F2430",
    },
    "dark_css_variables": {
        "color-brand-primary": "#4FB8B0",
        "color-brand-content": "#4FB8B0",
        "color-brand-visited": "#4FB8B0",
        "color-background-primary": "#14171D",
        "color-foreground-primary": "#E8E6E1",
    },
}


def _without_sections(_app: Any, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Make headings in the descriptions of modules plain lines: several modules on a page would share an anchor."""
    if what == "module":
        for i in range(len(lines) - 1):
            if lines[i].strip() and lines[i + 1] and not lines[i + 1].strip("-"):
                lines[i : i + 2] = [f".. rubric:: {lines[i]}", ""]


def setup(app: Any) -> None:
    """Connect what is done to docstrings, before numpydoc sees them."""
    app.connect("autodoc-process-docstring", _without_sections, priority=400)
