"""The decks at 1280 × 720 in a browser: nothing is loaded from elsewhere, overflows or is too small."""

import re

import pytest
from helpers import NOTEBOOKS

from fmnist_utils.batch import series, slides

NAMES = [path.stem for path in NOTEBOOKS]

# Of the slide that is shown: what reaches beyond it, and which pictures are drawn at less than .45 of their
# size, where letters are hardly 10 pixels high.
FAULTS = """
() => {
  const slide = Reveal.getCurrentSlide(), frame = slide.getBoundingClientRect(), faults = [];
  const shown = [...slide.querySelectorAll('*')].filter(part => !part.closest('aside') && part.offsetParent);
  for (const part of shown) {
    const box = part.getBoundingClientRect();
    const wide = part.scrollWidth > part.clientWidth + 2 && part.clientWidth;
    const outside = box.bottom > frame.bottom - 8 || box.right > frame.right - 8 || wide;
    const size = part.tagName === 'IMG' && Math.min(  // its box may be wider than what is drawn in it
      part.clientWidth / part.naturalWidth, part.clientHeight / part.naturalHeight
    );
    const small = size && (size < 0.45 || part.clientHeight < 240 && part.clientWidth < 900);
    if (outside) faults.push('overflows: ' + part.tagName + ' ' + part.textContent.slice(0, 60));
    if (small) faults.push('small: ' + size.toFixed(2) + ' ' + part.alt);
  }
  return faults;
}
"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    try:
        written = slides.write(NOTEBOOKS, tmp_path_factory.mktemp("slides"))
    except series.BatchError as error:
        pytest.skip(str(error))
    return {path.stem: path for path in written}


@pytest.mark.parametrize("name", NAMES)
def test_a_deck_has_all_that_it_loads_beside_it(name, decks):
    deck = decks[name]
    page = deck.read_text(encoding="utf-8")
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(?!data:)([^\"]*)\"", page)
    assert len(loaded) >= 5
    assert [name for name in loaded if not (deck.parent / name).is_file()] == []
    assert "url(http" not in page
    assert len(re.findall(r"<img [^>]*alt=\"[^\"]+\"", page)) == page.count("<img")


@pytest.mark.parametrize("name", NAMES)
def test_no_slide_overflows(name, decks, chromium):
    page = chromium.new_page(viewport={"width": slides.WIDTH, "height": slides.HEIGHT})
    failed = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(decks[name].as_uri())
    page.wait_for_function("window.Reveal && Reveal.isReady()")
    page.evaluate("MathJax.startup.promise")
    faults = {}
    for number in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate(f"Reveal.slide({number}, 0, 99)")  # all of its fragments shown
        for answer in range(-1, page.evaluate("Reveal.getCurrentSlide().querySelectorAll('details').length")):
            page.evaluate(
                "chosen => Reveal.getCurrentSlide().querySelectorAll('details')"
                ".forEach((answer, i) => answer.open = i === chosen)",
                answer,
            )
            if found := page.evaluate(FAULTS):
                faults[number + 1, answer] = found
    page.close()
    assert not failed
    assert not faults
