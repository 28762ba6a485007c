"""Draw docs/images/splits.jpg: two pictures of a drawn COCO as each of the four splits sees it.

cocoad sample coco && cocoad build --coco-root coco && python docs/scripts/pictures.py
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from cocoad.dataset.images import find_images
from cocoad.dataset.manifest import read_split
from cocoad.dataset.masks import read_mask_png

DATASET = Path("coco-ad")
OUT = Path(__file__).parents[1] / "images" / "splits.jpg"
SIZE, GAP, LINE = 240, 8, 30


def main() -> None:
    """Draw a row for an image with objects that split 0 holds out, and one for split 2."""
    splits = [read_split(DATASET, number) for number in range(4)]
    images = find_images(DATASET, [sample.image for sample in splits[0].test])
    rows = [next(sample.id for sample in splits[split].test if sample.label) for split in (0, 2)]
    sheet = Image.new("RGB", (4 * SIZE + 3 * GAP, 2 * (SIZE + LINE)), "white")
    draw = ImageDraw.Draw(sheet)
    for row, image in enumerate(rows):
        for split in splits:
            sample = next(sample for sample in split.test if sample.id == image)
            pixels = np.array(Image.open(images.path(sample.image)).convert("RGB"))
            said = "normal"
            if sample.mask:
                mask = read_mask_png(DATASET / sample.mask).astype(np.uint8)
                outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                cv2.drawContours(pixels, outlines, -1, (230, 0, 90), 3)
                names = {category.id: category.name for category in split.held_out}
                said = "anomalous: " + ", ".join(names[each] for each in sample.categories or ())
            left, top = split.split * (SIZE + GAP), row * (SIZE + LINE)
            sheet.paste(Image.fromarray(pixels).resize((SIZE, SIZE)), (left, top + LINE))
            draw.text((left + 2, top + 2), f"split {split.split}\n{said}", fill="black")
    sheet.save(OUT, quality=85)


if __name__ == "__main__":
    main()
