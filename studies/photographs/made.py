"""What each factor of a photograph costs: ``python -m studies.photographs.made``.

It writes ``results/photograph_made.csv``: accuracy of the champion on validation images of Fashion-MNIST made
into photographs and prepared, one factor changed at a time. Beside it, what is left of the loss for who knows
the truth: where the garment lies ("true mask"), and, of a photograph that was taken aslant or of a garment that
lies turned, where its corners are ("straight"). No test image is used. Ten minutes on one core.
"""

from collections.abc import Iterator

import cv2
import numpy as np
import pandas as pd

from fmnist_utils import champion, data, evaluation, photographs, results, training
from fmnist_utils.photographs import MadePhotograph, made
from fmnist_utils.support import files
from studies.photographs.masks import cut_out, shrunk
from studies.photographs.settings import SPLIT_SEED

TABLE = "photograph_made"
COLUMNS = ["factor", "value", "how", "garments", "accuracy", "low", "high", "iou"]
GARMENTS = 300  # the first of the validation images; a garment's position is its seed
FACTORS = {  # the value that ``made`` takes when it is told none is among each
    "size": (0.25, 0.4, 0.55, 0.7, 0.9),
    "colour": (0.0, 0.2, 0.4, 0.7, 1.0),
    "background": ("plain", "plaster", "linen", "carpet", "planks"),
    "light": (0.0, 0.2, 0.4, 0.7, 1.0),
    "angle": (0.0, 15.0, 30.0, 45.0, 60.0),
    "turn": (0.0, 10.0, 20.0, 30.0, 45.0),
}
STRAIGHTENED = ("angle", "turn")

Seen = tuple[np.ndarray, float]  # a picture of 28 x 28 pixels, and the IoU of the mask it was cut out by


def main() -> None:
    cv2.setNumThreads(1)
    training.use_precision("float32")
    model = champion.load()
    _, aside = data.train_validation_split(data.load().train, SPLIT_SEED)
    garments, labels = aside.images[:GARMENTS], aside.labels[:GARMENTS]
    rows = []
    for factor, value, how, pictures, iou in everything(garments):
        correct = training.predict(model, pictures, 100).argmax(axis=1) == labels
        rows.append((factor, value, how, len(correct), *evaluation.wilson_interval(correct), iou))
        print(*rows[-1], flush=True)
    head = (
        "# The champion on made photographs. `iou` is of the mask and the truth, a mean. "
        "Written by `python -m studies.photographs.made`."
    )
    text = pd.DataFrame(rows, columns=COLUMNS).round(5).to_csv(index=False)
    files.write_text(results.FOLDER / f"{TABLE}.csv", f"{head}\n{text}")


def everything(garments: np.ndarray) -> Iterator[tuple[str, object, str, np.ndarray, float]]:
    """Factor, value, way, pictures, (n, 28, 28), and mean IoU; first of all the garments themselves."""
    yield "none", "none", "original", garments, np.nan
    upright = [made(garment, seed).corners for seed, garment in enumerate(garments)]
    for factor, values in FACTORS.items():
        for value in values:
            taken = (made(garment, seed, **{factor: value}) for seed, garment in enumerate(garments))
            corners = upright if factor in STRAIGHTENED else [None] * len(garments)
            seen = [ways(photograph, to) for photograph, to in zip(taken, corners, strict=True)]
            for how in seen[0]:
                pictures, ious = zip(*(each[how] for each in seen), strict=True)
                yield factor, value, how, np.stack(pictures), float(np.mean(ious))


def ways(photograph: MadePhotograph, upright: np.ndarray | None) -> dict[str, Seen]:
    """What becomes of a photograph by each way, seen straight if it is told where they lie then."""
    image, mask = photograph.image, photograph.mask
    found = {"prepared": prepared(image, mask), "true mask": (with_mask(image, mask), 1.0)}
    if upright is not None:
        found["straight"] = prepared(*straight(photograph, upright))
    return found


def prepared(image: np.ndarray, truth: np.ndarray) -> Seen:
    return photographs.prepare(image), overlap(photographs.find(image), truth)


def with_mask(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What ``prepare`` would make of a photograph if it found this mask: uint8, (28, 28)."""
    small = shrunk(image)
    share = cv2.resize(mask.astype(np.uint8) * 255, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    return cut_out(small, share > 127)


def straight(photograph: MadePhotograph, upright: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask as if the garment's corners were where they are ``upright``, float32, (4, 2)."""
    view = cv2.getPerspectiveTransform(photograph.corners, upright)
    side = photograph.mask.shape
    image = cv2.warpPerspective(photograph.image, view, side, borderMode=cv2.BORDER_REPLICATE)
    return image, cv2.warpPerspective(photograph.mask.astype(np.uint8), view, side) > 0


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two masks."""
    return float((found & truth).sum() / (found | truth).sum())


if __name__ == "__main__":
    main()
