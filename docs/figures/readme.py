"""Makes the pictures of the README, with the commands that the README names. Run: python docs/figures/readme.py"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from kinesphere.sources import Video

HERE = Path(__file__).parent
CLIP = HERE.parents[1] / "kinesphere" / "builtin" / "clip.mp4"
MOMENTS = (0.8, 2.8, 4.8, 6.8, 8.8, 10.8)  # seconds
TILE, GAP = 200, 6  # pixels


def kinesphere(*words: str, cwd: str) -> None:
    subprocess.run([sys.executable, "-m", "kinesphere", *words], cwd=cwd, check=True)


def keep(picture: Image.Image, name: str, width: int) -> None:
    height = round(picture.height * width / picture.width)
    picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS).save(HERE / name, quality=88)


def pictures_at(video: Video) -> list[Image.Image]:
    video.open()
    pictures = [Image.fromarray(video.read(t).value) for t in MOMENTS]
    video.close()
    return pictures


def regions(film: Path) -> Image.Image:
    """The clip above, what is made of it below."""
    height = TILE * 9 // 16
    sheet = Image.new("RGB", (len(MOMENTS) * (TILE + GAP) - GAP, height + GAP + TILE), (255, 255, 255))
    for i, (seen, made) in enumerate(zip(pictures_at(Video(CLIP)), pictures_at(Video(film)), strict=True)):
        sheet.paste(seen.resize((TILE, height), Image.Resampling.LANCZOS), (i * (TILE + GAP), 0))
        sheet.paste(made.resize((TILE, TILE), Image.Resampling.LANCZOS), (i * (TILE + GAP), height + GAP))
    return sheet


with tempfile.TemporaryDirectory() as folder:
    kinesphere("sample", "--seeds", "0-2", "--psi-grid", "9", "--out", ".", cwd=folder)
    kinesphere("sample", "--seeds", "0-3", "--mix", "6-8", "--rows", "coarse", "--psi", "0.9", "--out", ".", cwd=folder)
    kinesphere("render", "regions", "--source", "clip", "--out", "film.mp4", cwd=folder)
    keep(Image.open(Path(folder) / "psi-seeds0-2.png"), "psi.jpg", 1200)
    keep(Image.open(Path(folder) / "mix-coarse.png"), "mix.jpg", 900)
    keep(regions(Path(folder) / "film.mp4"), "regions.jpg", len(MOMENTS) * (TILE + GAP) - GAP)
