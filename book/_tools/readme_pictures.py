"""Make the pictures of the README from the figures of the built book.

Run it with the environment's Python after `make book`:

    .venv/bin/python book/_tools/readme_pictures.py

The moving picture goes through all frames of the cover's figure, there and back.
"""

import base64
import io
import json
import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "_build" / "html" / "book"
PICTURES = ROOT / "book" / "pictures"
FRAMES = re.compile(
    r'<script type="application/json" class="explore-frames">(.*?)</script>', re.DOTALL
)
STILLS = {  # name of the picture: page, figure and frame, both counted from 0
    "minimizers": ("minimizers/strict_saddles", 0, 3),
    "generalized_smoothness": ("generalized_smoothness/escaping", 5, 2),
    "hessian_scaling": ("hessian_scaling/curvature_step", 1, 2),
    "approximate_newton": ("approximate_newton/local_means_local", 0, 0),
    "nonconvergence": ("nonconvergence/dead_neurons", 1, 0),
    "which_method_when": ("synthesis/which_method_when", 0, 0),
}


def frames(page, figure):
    """Return the pictures of a figure of a built page."""
    path = PAGES / f"{page}.html"
    found = FRAMES.findall(path.read_text(encoding="utf-8"))
    if figure >= len(found):
        raise SystemExit(f"{path} has {len(found)} figures with a slider, so none at {figure}")
    sources = [frame["src"].split(",", 1)[1] for frame in json.loads(found[figure])]
    return [Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB") for data in sources]


def save(name, picture, **options):
    """Write a picture and say how large it is."""
    target = PICTURES / f"{name}.webp"
    picture.save(target, quality=60, **options)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e3:.0f} kB")


def main():
    """Write the moving cover and the still pictures."""
    PICTURES.mkdir(exist_ok=True)
    cover = frames("index", 0)
    save(
        "cover",
        cover[0],
        save_all=True,
        append_images=[*cover[1:], *cover[-2:0:-1]],
        duration=350,
        loop=0,
    )
    for name, (page, figure, frame) in STILLS.items():
        save(name, frames(page, figure)[frame])


if __name__ == "__main__":
    main()
