"""Sphinx configuration."""

import logging
import os

import skwass

project = "skwass"
copyright = "2026, the skwass developers"
author = "The skwass developers"
version = release = skwass.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
root_doc = "index"
exclude_patterns = ["_build"]
templates_path = ["_templates"]
autosummary_generate = True
numpydoc_show_class_members = False
numpydoc_use_plots = False
html_theme = "pydata_sphinx_theme"
html_title = "skwass"
html_show_sourcelink = False
html_theme_options = {"show_nav_level": 2}
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": os.sep + "plot_",
    "backreferences_dir": None,
    "show_memory": False,
}

intersphinx_mapping = {
    "python": ("https://docs.python.org/3", None),
    "numpy": ("https://numpy.org/doc/stable", None),
    "scipy": ("https://docs.scipy.org/doc/scipy", None),
    "sklearn": ("https://scikit-learn.org/stable", None),
    "torch": ("https://docs.pytorch.org/docs/stable", None),
    "ot": ("https://pythonot.github.io", None),
    "matplotlib": ("https://matplotlib.org/stable", None),
}
intersphinx_timeout = 5


def _is_not_about_the_network(record):
    """Let a build without a network go on, without links to other projects."""
    return "failed to reach any of the inventories" not in str(record.msg)


_logger = logging.getLogger("sphinx.sphinx.ext.intersphinx")
_logger.addFilter(_is_not_about_the_network)


def leave_out_inherited_scores(app, what, name, obj, skip, options):
    """Leave out `score` of scikit-learn, whose text refers to pages of its own."""
    if name == "score" and getattr(obj, "__module__", None) == "sklearn.base":
        return True
    return None


def setup(app):
    """Connect what is above."""
    app.connect("autodoc-skip-member", leave_out_inherited_scores)
