"""Makes the picture of docs/probes.md from the page of the probes. Needs chromium. Run:

kinesphere probe portraits --out probes.html
python docs/figures/probes.py probes.html
"""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
CHROMIUM = "/usr/bin/chromium"
WIDTH, EDGE = 1100, 20  # pixels


def main(page: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        sheet = browser.new_page(viewport={"width": WIDTH, "height": 1000}, color_scheme="light")
        sheet.goto(page.resolve().as_uri())
        box = sheet.locator("section", has=sheet.locator(".dots")).first.bounding_box()
        clip = {"x": 0, "y": box["y"] - EDGE, "width": WIDTH, "height": box["height"] + 2 * EDGE}
        shown = sheet.screenshot(full_page=True, clip=clip)
        browser.close()
    picture = Image.open(io.BytesIO(shown)).convert("RGB").quantize(128, dither=Image.Dither.NONE)
    picture.save(HERE / "probes.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
