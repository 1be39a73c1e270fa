"""Makes a page of maps with random weights and looks at it: python browser.py CHROMIUM FOLDER_FOR_SCREENSHOTS."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

import caduceus
from caduceus import parts
from caduceus.data import Genome, ecoli_path
from caduceus.recipes.__main__ import main

CONTIG = "K-12-MG1655"
LOCI = [(366_001, 366_300), (1_000_001, 1_000_060), (2_000_001, 2_002_000)]
SIZES = [("narrow", 400, 900), ("wide", 1280, 1000)]


def make() -> Path:
    """A run of random weights, sharp enough for a logo, beside effects drawn at random; its folder."""
    mixers = [parts.BiMamba(mamba=parts.Mamba(d_state=4, expand=2))]
    spec = parts.Model(embedding=parts.Embedding(d_model=8), mixers=mixers, head=parts.MaskedLM(tie="none"))
    weights = {
        name: value * (12 if name.startswith(("head", "embedding")) else 1)
        for name, value in caduceus.build(spec, seed=3).weights().items()
    }
    caduceus.save_pretrained(caduceus.build(spec, weights=weights), "model", layout="caduceus")
    write_effects(Path("measured.tsv"))
    loci = ", ".join(f"{CONTIG}:{start}-{end}" for start, end in LOCI)
    options = ("model=model", f"fasta={ecoli_path()}", f"loci=[{loci}]", "window=65", "measured.resamples=100")
    measured = ("measured.file=measured.tsv", "measured.field=effect")
    sets = [text for option in (*options, *measured) for text in ("--set", option)]
    assert main(["run", "mutagenesis", *sets, "--out", "run"]) == 0
    return Path("run").absolute()


def write_effects(path: Path) -> None:
    rng = np.random.default_rng(0)
    start, end = LOCI[0]
    bases = Genome(ecoli_path()).fetch(CONTIG, start - 1, end)
    rows = [
        f"{CONTIG}\t{start + i}\t{ref}\t{alt}\t{rng.normal():.3f}"
        for i, ref in enumerate(bases)
        for alt in "ACGT"
        if alt != ref
    ]
    path.write_text("\n".join(["chrom\tpos\tref\talt\teffect", *rows]) + "\n")


def drawn(page: Page) -> None:
    """Come by every figure: it is drawn when it is near."""
    for number in range(1, len(LOCI) + 1):
        page.locator(f"#locus-{number}").scroll_into_view_if_needed()
        page.locator(f"#locus-{number} .main-svg").first.wait_for(timeout=60_000)


def panel(page: Page, figure: str, number: int) -> dict[str, float]:
    """Where a panel of a figure lies on the screen."""
    page.locator(f"#{figure}").scroll_into_view_if_needed()
    found: dict[str, float] = page.evaluate(
        """([id, number]) => {
            const plot = document.getElementById(id), layout = plot._fullLayout, box = plot.getBoundingClientRect();
            const y = layout[number === 1 ? "yaxis" : "yaxis" + number], x = layout.xaxis;
            return {left: box.left + x._offset, top: box.top + y._offset, width: x._length, height: y._length,
                    low: x.range[0], high: x.range[1]};
        }""",
        [figure, number],
    )
    return found


def aim(page: Page, figure: str) -> tuple[int, int]:
    """A position that a whole pixel lies near the middle of, and that pixel."""
    at = panel(page, figure, 1)
    pixels = [round(at["left"] + at["width"] * share / 100) for share in range(20, 60)]
    places = [at["low"] + (at["high"] - at["low"]) * (x - at["left"]) / at["width"] for x in pixels]
    x, place = min(zip(pixels, places, strict=True), key=lambda pair: abs(pair[1] - round(pair[1])))
    return x, round(place)


def hovered(page: Page, figure: str, number: int, row: int, x: int, place: int) -> str:
    """What a panel says at a pixel of a position; ``row``: of a heat map, 0 to 3."""
    at = panel(page, figure, number)
    page.mouse.move(x - 9, at["top"] + 4)
    page.mouse.move(x, round(at["top"] + at["height"] * (row + 0.5) / 4))
    label = page.locator(f"#{figure} .hoverlayer .hovertext").filter(has_text=f"{place:,}")
    label.wait_for(timeout=10_000)
    return " ".join(label.locator("tspan, text:not(:has(tspan))").all_text_contents()).replace("\u2212", "-")


def check_hover(page: Page, table: list[dict[str, str]]) -> None:
    """Each panel of the first figure says what the table says of a change there."""
    x, place = aim(page, "locus-1")
    here = [row for row in table if row["position"] == str(place)]
    there = next(row for row in here if row["base"] == row["ref"])
    change = next(row for row in here if row["base"] != row["ref"])
    where = [f"{CONTIG}:{place:,}", f"ref {there['ref']}"]
    llr, probability = f"llr {float(change['llr']):+.3f}", float(change["probability"])
    expected = {
        1: [f"P({change['base']}) {probability:.3f}"],
        2: [f"base {change['base']}", llr, f"probability {probability:.4f}"],
        3: [f"gradient {float(there['gradient']):+.4g}"],
        4: [f"base {change['base']}", f"measured {float(change['measured']):+}", llr],
    }
    for number, texts in expected.items():
        said = hovered(page, "locus-1", number, "ACGT".index(change["base"]), x, place)
        assert all(text in said for text in where + texts), (said, texts)


def check_zoom(page: Page) -> None:
    """Dragging over half of a figure shows that half in every panel; a double click shows all again."""
    whole = panel(page, "locus-1", 2)
    y = whole["top"] + whole["height"] / 2
    page.mouse.move(whole["left"] + whole["width"] * 0.25, y)
    page.mouse.down()
    page.mouse.move(whole["left"] + whole["width"] * 0.5, y, steps=8)
    page.mouse.move(whole["left"] + whole["width"] * 0.75, y, steps=8)
    page.mouse.up()
    page.wait_for_timeout(600)
    zoomed = panel(page, "locus-1", 2)
    bases = whole["high"] - whole["low"]
    assert abs(zoomed["low"] - (whole["low"] + bases / 4)) < bases / 50, (whole, zoomed)
    assert abs(zoomed["high"] - (whole["high"] - bases / 4)) < bases / 50, (whole, zoomed)


def unzoom(page: Page) -> None:
    at = panel(page, "locus-1", 2)
    page.mouse.dblclick(at["left"] + at["width"] / 2, at["top"] + at["height"] / 2)
    page.wait_for_timeout(600)
    again = panel(page, "locus-1", 2)
    assert (again["low"], again["high"]) == (LOCI[0][0] - 0.5, LOCI[0][1] + 0.5), again


def check_width(page: Page, width: int) -> None:
    """Nothing is wider than the window."""
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{wide} px in a window of {width}"
    over = page.evaluate(
        """width => [...document.querySelectorAll("main *")].filter(e => !e.closest("svg, pre"))
            .filter(e => e.getBoundingClientRect().right > width + 1).map(e => e.outerHTML.slice(0, 80))""",
        width,
    )
    assert over == [], over


def look(browser: Any, url: str, table: list[dict[str, str]], pictures: Path) -> None:
    for scheme in ("light", "dark"):
        for name, width, tall in SIZES:
            context = browser.new_context(viewport={"width": width, "height": tall}, color_scheme=scheme, offline=True)
            page = context.new_page()
            said: list[str] = []
            page.on("console", lambda message, said=said: said.append(f"{message.type}: {message.text}"))
            page.on("pageerror", lambda error, said=said: said.append(str(error)))
            page.on("request", lambda request, said=said: said.append(request.url) if request.url != url else None)
            page.goto(url)
            drawn(page)
            check_width(page, width)
            page.screenshot(path=str(pictures / f"{scheme}-{name}.png"), full_page=True)
            check_hover(page, table)
            page.screenshot(path=str(pictures / f"{scheme}-{name}-hover.png"))
            check_zoom(page)
            page.screenshot(path=str(pictures / f"{scheme}-{name}-zoom.png"))
            unzoom(page)
            check_width(page, width)
            said = [line for line in said if not re.match(r"(data|blob|about):", line)]
            assert said == [], said
            context.close()
            print(f"{scheme}, {width} px: hover, zoom and width are right; nothing asked of the network, no errors")


def run(chromium: str, pictures: Path) -> None:
    folder = make()
    with (folder / "mutagenesis.tsv").open() as file:
        table = list(csv.DictReader(file, delimiter="\t"))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        look(browser, (folder / "report.html").as_uri(), table, pictures)
        browser.close()


if __name__ == "__main__":
    run(sys.argv[1], Path(sys.argv[2]).absolute())
