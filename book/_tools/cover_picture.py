"""Make the moving picture of the README, book/cover.webp, from the cover of the built book.

Run it with the environment's Python after `make book`:

    .venv/bin/python book/_tools/cover_picture.py
"""

import base64
import io
import json
import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
COVER = ROOT / "_build" / "html" / "book" / "index.html"
TARGET = ROOT / "book" / "cover.webp"
FRAMES = re.compile(
    r'<script type="application/json" class="explore-frames">(.*?)</script>', re.DOTALL
)


def main():
    """Join the frames of the cover's first slider into one animation, there and back."""
    found = FRAMES.search(COVER.read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit(f"{COVER} has no figure with a slider")
    pictures = []
    for frame in json.loads(found.group(1)):
        data = base64.b64decode(frame["src"].split(",", 1)[1])
        pictures.append(Image.open(io.BytesIO(data)).convert("RGB"))
    pictures += pictures[-2:0:-1]
    pictures[0].save(
        TARGET, save_all=True, append_images=pictures[1:], duration=350, loop=0, quality=60
    )
    size = TARGET.stat().st_size
    print(f"{TARGET.relative_to(ROOT)}: {len(pictures)} frames, {size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
