"""Draws the pictures of mmcli/docs/gallery.md from what the demos left: ``python tests/gallery.py DEMO RECOMMENDED``,
the folders that ``sh sample_data/demo.sh`` and ``sh sample_data/recommend.sh`` were given. Needs chromedriver.
"""

from __future__ import annotations

import base64
import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from tests.browser import browser

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "mmcli" / "docs" / "pictures"
COLOURS = 48  # of a picture: flat pages need few, and the wheel carries them
READING = ROOT / "sample_data" / "reading"


def mmcli(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "mmcli", *map(str, words), "-q"], check=True, stdout=subprocess.DEVNULL)


def pages(demo: Path, recommended: Path, into: Path) -> dict[str, tuple[Path, str, int, int, str]]:
    """By the name of the picture its page, the theme, the width and height in pixels, and what is scrolled to."""
    digits = demo / "digits"
    against = [word for name in ("image", "audio", "text") for word in ("--against", digits / f"{name}.pt")]
    media = ROOT / "sample_data" / "digits" / "manifest.csv"
    report, map_page, follow = into / "report.html", into / "map.html", into / "follow.html"
    mmcli("evaluate", digits / "fused-0.pt", digits / "digits.npz", "-o", into / "r.json", "--html", report,
          "--media", media, *against)  # fmt: skip
    pair = (READING / "reading.flac", READING / "reading_retimed.ogg")
    mmcli("align", *pair, "-o", into / "m.json", "--page", map_page)
    mmcli("follow", *pair, "--every", 8, "-o", into / "l.json", "--page", follow)
    return {
        "report": (report, "light", 1080, 1050, "body"),
        "report-plots": (report, "dark", 1080, 900, ".plots"),
        "report-items": (report, "light", 1080, 900, ".cards"),
        "page": (map_page, "light", 1080, 1000, "body"),
        "page-phone": (map_page, "dark", 390, 844, "body"),
        "following": (follow, "dark", 1080, 760, "body"),
        "ranking": (recommended / "report.html", "light", 1080, 1000, "body"),
    }


def main(demo: Path, recommended: Path) -> None:
    """Write the pictures of the pages, and aligned.png."""
    with tempfile.TemporaryDirectory() as folder, browser() as chrome:
        into = Path(folder)
        for name, (page, theme, width, height, place) in pages(demo, recommended, into).items():
            size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
            chrome._cdp("Emulation.setDeviceMetricsOverride", size)
            chrome.get(page)
            chrome.run(f"document.documentElement.dataset.theme = '{theme}'")
            chrome.run(f"document.querySelector('{place}').scrollIntoView()")
            shot = chrome._cdp("Page.captureScreenshot", {"format": "png"})["data"]
            kept(Image.open(io.BytesIO(base64.b64decode(shot))), name)
        plot = into / "aligned.png"
        pair = (READING / "reading.flac", READING / "reading_retimed.ogg")
        mmcli("align", *pair, "-o", into / "m.json", "--method", "dtw", "--plot", plot)
        kept(Image.open(plot), "aligned")


def kept(picture: Image.Image, name: str) -> None:
    """The picture with few colours, its own: the most frequent would all be greys, and the path would be lost."""
    few = picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3]))
