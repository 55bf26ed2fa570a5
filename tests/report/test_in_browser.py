import shutil

import pytest

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield browser
        browser.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_the_page_opens_from_disk_whole_and_without_sideways_scrolling(
    browser, report, width, scheme
):
    tab = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    requests, complaints = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(report.as_uri())

    assert [url for url in requests if not url.startswith("data:")] == [report.as_uri()]
    assert complaints == []
    assert tab.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    images = tab.evaluate("[...document.images].map(image => [image.naturalWidth, image.alt])")
    assert len(images) > 10
    assert all(pixels > 0 and alt for pixels, alt in images)
    targets = tab.evaluate(
        "[...document.querySelectorAll('nav a')].map(link => link.hash.slice(1))"
    )
    sections = tab.evaluate(
        "[...document.querySelectorAll('section:has(h2)')].map(part => part.id)"
    )
    assert targets == sections != []
    tab.close()
