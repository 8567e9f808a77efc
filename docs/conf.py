"""How `make docs` builds the site; with ARGS="-D plot_gallery=0" no example runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
# Before anything imports the package: built-in parts only, whatever is installed here.
os.environ["MLMI_SKLEARN_PLUGINS"] = "none"
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib

matplotlib.use("Agg")

import inventories
from api_members import Members
from api_sections import SECTIONS
from sphinx_gallery.sorting import ExplicitOrder

import mlmi_sklearn

project = "mlmi_sklearn"
author = "The mlmi_sklearn developers"
copyright = author
release = version = mlmi_sklearn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "api_pages",
    "architecture",
    "docstrings",
    "links",
    "mathml",
    "site_checks",
]
exclude_patterns = [
    "_build",
    "_ext",
    "_figures",
    "_inventories",
    "examples",
    "**.inc.md",
]
templates_path = ["_templates"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
default_role = "literal"
nitpicky = True
smartquotes = False  # quotation marks of types are code
toc_object_entries_show_parents = "hide"

# -- pages -----------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath", "substitution"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
html_math_renderer = "mathml"

html_theme = "pydata_sphinx_theme"
html_title = "mlmi_sklearn"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "navbar_persistent": ["search-button"],
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
# Pages with none below them have nothing to show there.
html_sidebars = {p: [] for p in ("index", "choosing", "lecture_to_code", "glossary")}
# Prompts and the dots of continued lines are not part of the code.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

# -- reference -------------------------------------------------------------------------

# The pages are written at the beginning of a build, hence a list of them.
autosummary_generate = [str(HERE / "api" / f"{s.page}.rst") for s in SECTIONS]
autosummary_context = {"own": Members()}
autosummary_generate_overwrite = True
autodoc_typehints = "none"  # the docstrings say types, shapes and ranges
autodoc_member_order = "groupwise"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
numpydoc_xref_param_type = False
# Not from the network: a build without one gives the same pages.
intersphinx_mapping = inventories.mapping(HERE / "_inventories", HERE / "_build")

# -- examples --------------------------------------------------------------------------

FAMILIES = ("mil", "domain_adaptation", "meta_learning", "generation")
sphinx_gallery_conf = {
    "examples_dirs": ["examples"],
    "gallery_dirs": ["auto_examples"],
    "filename_pattern": r"/plot_",
    "subsection_order": ExplicitOrder([*(f"examples/{f}" for f in FAMILIES), "*"]),
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": "api/backreferences",
    "doc_module": ("mlmi_sklearn",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "parallel": True,  # as many as `-j` says
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "matplotlib_animations": False,
    "abort_on_example_error": False,
}
