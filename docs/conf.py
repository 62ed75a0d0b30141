"""The documentation site: Sphinx with furo, MyST and MyST-NB, which runs the notebook; `make docs`.

Sphinx, not MkDocs: a broken reference is an error, the Python interface comes from its docstrings, terms of the
glossary are linked, and man pages come from the same tree. The pages stay plain Markdown that a forge shows as it is.
"""

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

import generated

from heapster import __version__
from heapster.commands import COMMANDS

project = "Heapster"
author = "The Heapster authors"
copyright = author  # noqa: A001  the name that Sphinx reads
release = __version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"Heapster {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style, pygments_dark_style = "a11y-high-contrast-light", "a11y-high-contrast-dark"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300      # seconds of a cell
nitpicky = False

# The notebook's kernel warns that others on this machine could listen to it.
kernel = Path(__file__).parent / "_build" / "ipython"
(kernel / "profile_default").mkdir(parents=True, exist_ok=True)
(kernel / "profile_default" / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
os.environ["IPYTHONDIR"] = str(kernel)

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
man_pages = [("reference/command-line", "heapster", "judge allocators", author, 1),
             *((f"reference/commands/{name}", f"heapster-{name}", about, author, 1)
               for name, about in COMMANDS.items())]
suppress_warnings = ["misc.highlighting_failure"]       # steps and pictures of heaps are no language


def setup(app: Sphinx) -> None:
    """Write what is generated before anything is read; lead links to sources to text."""
    app.connect("builder-inited", lambda _: generated.write(Path(__file__).parent / "reference"))
    app.connect("autodoc-process-docstring", lambda *told: generated.drawings(told[-1]))
    app.connect("source-read", lambda _, name, text: text.__setitem__(0, generated.readable(name, text[0])))
