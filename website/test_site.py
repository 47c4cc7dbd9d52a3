"""The built site: its links, each page in Chromium, and the playground against Keras.

`make docs-test` runs this; `make test` does not.
"""

import functools
import shutil
import sys
import threading
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "build/site"
PAGES = sorted(path.relative_to(SITE).as_posix() for path in SITE.rglob("index.html"))
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
#: What the playground drew, as plain lists.
SHOWN = """() => {
  const { samples, exact, y, ...rest } = window.playground;
  const plain = ([name, { x, noise }]) => [name, { x: [...x], noise: [...noise] }];
  return {
    ...rest,
    y: [...y],
    exact: exact.map(({ ends, weight }) => ({ ends, weight })),
    samples: Object.fromEntries(Object.entries(samples).map(plain)),
  };
}"""
pytestmark = pytest.mark.skipif(not PAGES, reason="build/site is not there: run `make docs`")


class Links(HTMLParser):
    """The ids, the links and the "next" link of a page."""

    def __init__(self, path):
        super().__init__()
        self.ids, self.hrefs, self.following = set(), [], None
        self.feed((SITE / path).read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids |= {attributes[name] for name in ("id", "name") if attributes.get(name)}
        if tag == "a" and attributes.get("href"):
            self.hrefs.append(attributes["href"])
            if "md-footer__link--next" in (attributes.get("class") or ""):
                self.following = attributes["href"]


@functools.cache
def links(path):
    return Links(path)


def target(path, href):
    """(page, anchor) of a link within the site, or None for a link out of it."""
    parts = urlsplit(href)
    if parts.scheme or parts.netloc:
        return None
    place = SITE / path
    if parts.path:
        place = (place.parent / unquote(parts.path)).resolve()
        place = place / "index.html" if place.is_dir() else place
    return place.relative_to(SITE).as_posix(), unquote(parts.fragment)


@pytest.mark.parametrize("path", PAGES)
def test_links_and_anchors_lead_somewhere(path):
    broken = set()
    for href in links(path).hrefs:
        found = target(path, href)
        if found is None:
            continue
        place, anchor = found
        if not (SITE / place).is_file() or (
            anchor and place.endswith(".html") and anchor not in links(place).ids
        ):
            broken.add(href)
    assert not broken


def test_next_links_lead_from_the_start_to_the_end():
    path, seen = "index.html", []
    while path and path not in seen:
        seen.append(path)
        following = links(path).following
        path = target(path, following)[0] if following else None
    assert set(seen) == set(PAGES)
    assert seen[-1] == "CHANGELOG/index.html"


@pytest.fixture(scope="module")
def address():
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Handler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium: install the package chromium")
    with playwright.sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser, address):
    """A function that opens a page of the site; what goes wrong in it is in its list `faults`."""
    contexts = []

    def open_page(path, device="desktop", scheme="light"):
        width, height = WIDTHS[device]
        size = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=size, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.faults = []
        page.on("console", lambda message: note(page, message.type, message.text))
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        page.on("requestfailed", lambda request: page.faults.append(request.url))
        page.on("request", lambda request: outside(page, request.url))
        page.goto(address + path, wait_until="load")
        return page

    def note(page, kind, text):
        if kind == "error":
            page.faults.append(text)

    def outside(page, url):
        if not url.startswith((address, "data:", "blob:")):
            page.faults.append(f"asks the network for {url}")

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("path", PAGES)
def test_pages_load_without_errors(path, tab):
    page = tab(path)
    broken = page.evaluate(
        "() => Promise.all([...document.images].map((image) => { image.loading = 'eager';"
        " return image.decode().then(() => null, () => image.src); }))"
    )
    assert not [source for source in broken if source]
    assert not page.faults
    assert page.locator(".katex-error").count() == 0
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def draw(page, previous):
    """What the playground shows after `previous` drawings."""
    page.wait_for_function(f"(window.playground?.draws ?? 0) > {previous}", timeout=120_000)
    return page.evaluate(SHOWN)


@pytest.mark.parametrize("number", [1, 2])
def test_the_playground_draws_what_python_samples(number, tab):
    sys.path.insert(0, str(ROOT / "website"))
    from export import Sampler

    from cvae_keras import TASKS, load_model, load_pretrained

    page = tab("playground/index.html")
    shown = draw(page, 0)
    if shown["task"] != number:
        page.locator(f"input[name=task][value='{number}']").check()
        shown = draw(page, shown["draws"])
    page.locator("input[name=lo1]").fill("0.23")
    shown = draw(page, shown["draws"])
    assert shown["task"] == number and shown["ends"][2] == 0.23
    task = TASKS[f"data_{number}"]
    y = np.float32(shown["y"]).reshape(1, task.points, 2)
    np.testing.assert_allclose(y[0], task.forward(task.ramps(shown["ends"])), atol=1e-6)
    solutions, weights = task.solutions(task.forward(task.ramps(shown["ends"])))
    assert len(weights) == len(shown["exact"])
    for solution, weight, exact in zip(solutions, weights, shown["exact"], strict=True):
        np.testing.assert_allclose(task.ramps(exact["ends"]), solution, atol=1e-5)
        assert abs(exact["weight"] - weight) < 1e-4
    models = {
        "solver": load_pretrained(f"sinusoid_{number}"),
        "collapsed": load_model(ROOT / f"build/models/collapsed_{number}.keras"),
    }
    for name, model in models.items():
        sampler, drawn = Sampler(model), shown["samples"][name]
        noise = np.float32(drawn["noise"]).reshape(-1, sampler.noise_dim)
        x = np.asarray(sampler({"y": y, "noise": noise}))
        assert x.std(axis=0).max() > (0.01 if name == "solver" else 0)
        np.testing.assert_allclose(np.float32(drawn["x"]).reshape(x.shape), x, atol=1e-4)
    assert page.locator("#sampler tbody tr").count() == len(weights)
    assert not page.faults


def test_the_plane_of_digits_draws_what_python_decodes(tab):
    from cvae_keras import load_model

    page = tab("digits/index.html")
    page.wait_for_function("window.digits?.draws > 0", timeout=120_000)
    page.locator("input[name=z0]").fill("0.5")
    page.wait_for_function("Math.abs(window.digits.z[0] - 0.5) < 1e-6")
    shown = page.evaluate("window.digits")
    x = load_model(ROOT / "build/models/digits.keras").decode(np.float32(shown["z"])[None])
    np.testing.assert_allclose(shown["image"], x[0], atol=1e-4)
    page.locator("#plane svg").first.hover()
    page.wait_for_function(f"window.digits.draws > {shown['draws']}")
    assert not page.faults
