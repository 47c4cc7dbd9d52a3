"""MkDocs hook: files of the repository are pages of the site, at the paths that they have in it.

A relative link between two of them works on GitHub and on the site. A link to a file that is no
page leads to the repository.
"""

import ast
import posixpath
import re
from fnmatch import fnmatch
from pathlib import Path

from mkdocs.plugins import event_priority, get_plugin_logger
from mkdocs.structure.files import File
from mkdocs.utils import get_relative_url

ROOT = Path(__file__).resolve().parents[1]
OWN = "website/pages/"  # what only the site has, at its root
PAGES = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("docs/*.md", "notebooks/*.ipynb", "results/*.md", "benchmarks/*.md"),
)
ASSETS = ("results/*.png", "benchmarks/*.png")
NPM = ROOT / "build/npm/node_modules"
MODELS = ROOT / "build/models"
#: What pages load, by the folder that it is served from.
SERVED = {
    "vendor/katex": [
        *("katex/dist/katex.min.css", "katex/dist/katex.min.js"),
        "katex/dist/contrib/auto-render.min.js",
    ],
    "vendor/katex/fonts": ["katex/dist/fonts/*.woff2"],
    "vendor/onnxruntime": [
        "onnxruntime-web/dist/ort.wasm.min.js",
        *(f"onnxruntime-web/dist/ort-wasm-simd-threaded.{end}" for end in ("mjs", "wasm")),
    ],
}
#: The pages of the API, and the modules whose public names each shows.
ROOMS = {
    "systems": [
        *("systems.cvae", "systems.dense", "systems.sinusoid", "systems.compression"),
        *("systems.compression.estimator", "systems.auto_decoder"),
        *("systems.auto_decoder.imputer", "systems.multimodal", "systems.saved"),
    ],
    "elbo": ["elbo"],
    "parts": ["parts", "parts.distributions"],
    "training": ["training"],
    "data": ["data"],
    "truth": ["truth"],
    "metrics": ["metrics"],
    "search": ["search"],
    "experiments": [
        *("experiments", "experiments.dense", "experiments.sinusoid"),
        "experiments.auto_decoder",
    ],
    "plots": ["plots"],
    "checks": ["checks"],
    "files": ["files"],
}
LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s]+)(?=\))")
REFERENCE = re.compile(r'(?<=href="| src=")(?![a-z]+:|#|//)([^"]+)(?=")')
HEADING = re.compile(r'<h[1-6] id="([^"]+)">(.*?)<a class="anchor-link"', re.DOTALL)
TAG = re.compile(r"<[^>]+>")
BADGE = re.compile(r'<img (?=[^>]*src="https?:)[^>]*?alt="([^"]*)"[^>]*>')
NAMED = re.compile(r"(?<![`\[])`((?:docs|notebooks|results|benchmarks)/[\w./-]+)`(?![`\]])")
log = get_plugin_logger("repository")


def on_config(config):
    """Replace the patterns of the navigation by the pages that fit them."""
    pages = [*_repository(*PAGES), *(f"api/{room}.md" for room in ("index", *ROOMS))]
    named = [page for entry in config.nav for page in _flat(entry)]

    def expand(entry):
        if isinstance(entry, dict):
            return {title: expand(value) for title, value in entry.items()}
        if isinstance(entry, list):
            return [part for value in entry for part in _listed(expand(value))]
        if "*" not in entry:
            return entry
        return [page for page in pages if fnmatch(page, entry) and page not in named]

    config.nav = [expand(entry) for entry in config.nav]
    return config


@event_priority(50)  # before mkdocs-jupyter
def on_files(files, config):
    """Add the pages, figures, scripts and models that do not lie in `docs_dir`."""
    for uri in _repository(*PAGES, *ASSETS):
        files.append(File(uri, str(ROOT), config.site_dir, config.use_directory_urls))
    for room, modules in ROOMS.items():
        content = f"# {room}\n\n" + "".join(f"::: cvae_keras.{module}\n\n" for module in modules)
        files.append(File.generated(config, f"api/{room}.md", content=content))
    files.append(File.generated(config, "api/index.md", content=_rooms()))
    for folder, patterns in SERVED.items():
        for path in (path for pattern in patterns for path in sorted(NPM.glob(pattern))):
            uri = f"{folder}/{path.name}"
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    for path in sorted([*MODELS.glob("*.onnx"), *MODELS.glob("*.json")]):
        files.append(File.generated(config, f"models/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Lead links to files that are no pages to the repository; link pages named in the text."""
    if page.file.src_uri.endswith(".ipynb"):
        return markdown

    def named(match):
        target = files.get_file_from_path(match[1])
        return f"[{match[0]}]({posixpath.relpath(match[1], _folder(page))})" if target else match[0]

    def link(match):
        path, hash_sign, anchor = match[1].partition("#")
        target = _page(path, page, files)
        if target is None:
            return _outside(path, page, config)
        folder = posixpath.dirname(page.file.src_uri) or "."
        return posixpath.relpath(target.src_uri, folder) + hash_sign + anchor

    return LINK.sub(link, NAMED.sub(named, markdown))


def on_page_content(html, page, config, files):
    """Names for images of other hosts; the links of a notebook, which MkDocs does not read."""
    html = BADGE.sub(r"\1", html)
    if not page.file.src_uri.endswith(".ipynb"):
        return html

    def link(match):
        path, hash_sign, anchor = match[1].partition("#")
        target = _page(path, page, files)
        if target is None:
            return _outside(path, page, config)
        return get_relative_url(target.url, page.url) + hash_sign + anchor

    headings = iter(HEADING.findall(html))
    for entry in _entries(page.toc):  # mkdocs-jupyter leaves code out of ids and titles
        entry.id, title = next(found for found in headings if found[0].startswith(entry.id))
        entry.title = TAG.sub("", title)
    return REFERENCE.sub(link, html)


def _entries(toc):
    return [part for entry in toc for part in (entry, *_entries(entry.children))]


def _repository(*patterns):
    """Paths that fit, relative to the repository."""
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def _rooms():
    """The page that lists the rooms."""
    lines = ["# API", "", "| room | what it holds |", "|---|---|"]
    for room in ROOMS:
        path = ROOT / "cvae_keras" / room
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        summary = ast.get_docstring(ast.parse(path.read_text())).split("\n\n")[0]
        lines.append(f"| [`cvae_keras.{room}`]({room}.md) | {' '.join(summary.split())} |")
    return "\n".join(lines) + "\n"


def _flat(entry):
    if isinstance(entry, str):
        return [entry]
    values = entry.values() if isinstance(entry, dict) else entry
    return [page for value in values for page in _flat(value)]


def _listed(entry):
    return entry if isinstance(entry, list) else [entry]


def _folder(page):
    """The folder of a page in the repository."""
    uri = page.file.src_uri
    return posixpath.dirname(OWN + uri if (ROOT / OWN / uri).exists() else uri) or "."


def _page(target, page, files):
    """The file of the site that a relative target names, or None."""
    path = posixpath.normpath(posixpath.join(_folder(page), target))
    return files.get_file_from_path(path.removeprefix(OWN))


def _outside(target, page, config):
    """The address in the repository of a file that is no page."""
    path = posixpath.normpath(posixpath.join(_folder(page), target))
    if not (ROOT / path).exists():
        log.warning(f"{page.file.src_uri} links to {target}, and there is no such file")
        return target
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"{config.repo_url}/{kind}/main/{path}"
