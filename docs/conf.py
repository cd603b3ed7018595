"""How the pages are built: `sphinx-build -W --keep-going docs build/docs`; a broken link is an error."""

project = "jtss"
author = "the authors of jtss"
extensions = ["myst_nb"]  # Markdown, and notebooks as they were executed
nb_execution_mode = "off"
myst_heading_anchors = 3  # links as page.md#heading, checked
html_theme = "furo"  # fetches nothing
html_title = "jtss"
exclude_patterns = ["_build"]
