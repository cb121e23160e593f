"""Render every page of the site in this folder, once, as a build does, and say what that took.

The content of the page that is named on the command line is printed too, for a look at it.
"""

import json
import sys
import time

from mkdocs.config import load_config
from mkdocs.structure.files import get_files
from mkdocs.structure.pages import Page

config = load_config("mkdocs.yml")
config = config.plugins.on_config(config)
files = get_files(config)
pages = {file.src_uri: Page(None, file, config) for file in files.documentation_pages()}
start, before = time.perf_counter(), time.process_time()
for page in pages.values():
    page.read_source(config)
    page.render(config, files)
cost = {"cpu_s": time.process_time() - before, "wall_s": time.perf_counter() - start}
print(json.dumps({**cost, "html": pages[sys.argv[1]].content}))
