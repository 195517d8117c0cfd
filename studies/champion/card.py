"""The text of the champion's model card, from what was measured."""

from typing import Any

import numpy as np

from fmnist_utils import evaluation
from fmnist_utils.data import CLASS_NAMES
from fmnist_utils.support import formatting

_CARD = """# Model card: the Fashion-MNIST champion of lesson 8

`champion.keras`, loaded after its checksum by `fmnist_utils.load_champion()`, or by `keras.saving.load_model`
without this package. It takes float images in [0, 1] of shape (n, 28, 28, 1) and gives the probabilities of
ten classes, float32, (n, 10). Stock layers of Keras 3.15 (tested with TensorFlow), float32 weights, no
optimizer state: {parameters:,} parameters in {megabytes:.2f} MB. Written by
`python -m studies.champion.final`.

## Data

The 60,000 training images of Fashion-MNIST (Zalando Research, MIT licence), verified by checksum; no other
data, no pre-trained network, no teacher. Grey pictures of single articles on black, cut and scaled by
Zalando. Some labels are wrong; lesson 7 lists candidates, but cannot count them.

## Procedure

{epochs} epochs in batches of 128: Muon under a one-cycle rate with weight decay, label smoothing, random flips,
shifts and cutout, each batch normalized in two halves, easy images shown less often; see lesson 8. It took
{minutes:.1f} minutes on two cores of a server processor that multiplies bfloat16 matrices in hardware (Intel,
AMX; median of five seeds). All choices were made on 10,000 held-out training images; then five seeds were
trained on all 60,000. The seed of this model, {published_seed}, was
fixed before the test labels were opened, and so were the epochs: 28 were planned, and the first such training
took longer than ten minutes.

## Accuracy on the 10,000 test images

| | |
|:--|--:|
| this model, ten views of each image averaged | {published:.2%} |
| 95% interval (Wilson) for other images of the same kind | {interval.low:.2%} to {interval.high:.2%} |
| five seeds, ten views | mean {mean:.2%}, standard deviation {sd:.2%} |
| five seeds, six views (the image, its mirror image, four shifts) | mean {six:.2%} |
| five seeds, one view | mean {plain:.2%} |

{classes}

Expected calibration error {calibration_error_published:.3f}, test loss {loss:.3f}: this is no calibrated model.
It was trained with smoothed labels, and averages; set a threshold on data of your own.

## Known failures

- Of {mistakes} mistakes the most frequent are {confusions}.
- On {corrupted:,} of the test images the accuracy is {whole:.1%}. Corruptions of severity 3 of 5 (lesson 7)
  leave {corruptions}.
- Photographs are another world: several articles, backgrounds, colour, other sizes. Whatever the picture, the
  model answers with one of its ten classes.
- The class of a garment says nothing about who wears it. Do not use it to judge people.

## Prediction

On two cores, in float32: {published_milliseconds_for_one_image:.1f} ms for one image (on one of them), and
{published_images_per_second:,} images a second in bulk. A single view of each image is a tenth of the work:
{plain_milliseconds_for_one_image:.1f} ms, and {plain_images_per_second:,} images a second.
"""


def text(record: dict[str, Any]) -> str:
    """The card, in Markdown.

    Args:
        record: what ``final`` keeps in ``results/champion.json``.
    """
    matrix = np.array(record["confusion_matrix"])
    mistakes = int(matrix.sum() - np.trace(matrix))
    right = np.arange(matrix.sum()) >= mistakes
    confused = evaluation.most_confused(matrix, 4)
    worse = dict(sorted(record["accuracy_under_corruption"].items(), key=lambda pair: pair[1]))
    whole = worse.pop("none")
    rows = zip(
        CLASS_NAMES, *(record["classes"][score] for score in ("precision", "recall", "f1-score")), strict=True
    )
    cells = [(name, *(f"{value:.3f}" for value in values)) for name, *values in rows]
    classes = formatting.markdown_table(("class", "precision", "recall", "F1"), cells)
    return _CARD.format(
        **record | {"classes": classes},
        megabytes=record["bytes"] / 1e6,
        minutes=float(np.median(record["seconds"])) / 60,
        published=np.trace(matrix) / matrix.sum(),
        calibration_error_published=record["calibration_error"][record["published_seed"]],
        loss=record["views_loss"][record["published_seed"]],
        interval=evaluation.wilson_interval(right),
        mean=float(np.mean(record["views_accuracy"])),
        sd=float(np.std(record["views_accuracy"], ddof=1)),
        six=float(np.mean(record["six_views_accuracy"])),
        plain=float(np.mean(record["plain_accuracy"])),
        mistakes=mistakes,
        whole=whole,
        confusions=", ".join(f"{true} taken for {found} ({count})" for true, found, count in confused),
        corruptions=", ".join(f"{value:.1%} ({kind})" for kind, value in worse.items()),
    )
