"""The clothing photographs as arrays, and their split by sender. No TensorFlow here."""

from dataclasses import dataclass

import numpy as np

from fmnist_utils.support import photo_cache

CLASSES = {  # of Fashion-MNIST that answer rightly, by label; of the other labels it has no class
    "T-Shirt": (0,),
    "Pants": (1,),
    "Longsleeve": (2,),
    "Hoodie": (2,),
    "Dress": (3,),
    "Outwear": (4,),
    "Blazer": (4,),
    "Shirt": (6,),
    "Shoes": (5, 7, 9),
}
_FOLDS = 5  # of the senders; one for the test, one for validation


@dataclass(frozen=True)
class Photographs:
    """Photographs of clothes, each with who sent it and what it shows.

    Attributes:
        image: object, shape (n,), of uint8 arrays of shape (height, width, 3), red, green and blue, 0 to 255,
            the longer side 200 pixels.
        sender: int, shape (n,), the number of the person who sent it.
        label: str, shape (n,), one of the 20 of the data set, such as "T-Shirt" or "Not sure".
        kids: bool, shape (n,), whether it is clothing for children.
    """

    image: np.ndarray
    sender: np.ndarray
    label: np.ndarray
    kids: np.ndarray

    def __post_init__(self) -> None:
        lengths = [len(self.image), len(self.sender), len(self.label), len(self.kids)]
        if len(set(lengths)) > 1:
            raise ValueError(f"image, sender, label and kids have {lengths} entries; expected as many of each")

    def __len__(self) -> int:
        return len(self.label)

    def at(self, positions: np.ndarray) -> "Photographs":
        """Those at some positions: integers in any order, or a bool for each photograph."""
        return Photographs(
            self.image[positions], self.sender[positions], self.label[positions], self.kids[positions]
        )


def load() -> Photographs:
    """The 5,398 photographs of the clothing dataset, in its order, verified.

    The first call decodes them into a cache, after a download of 161 MB where they are not at hand; later ones
    take about a second. See ``support/photo_files.py`` for which they are, ``photo_cache.py`` for the sources.

    Raises:
        DataError: lists what was tried and says what to do.
    """
    return Photographs(**photo_cache.load())


def split(photographs: Photographs, seed: int) -> tuple[Photographs, Photographs, Photographs]:
    """The training, validation and test part, about 60, 20 and 20%, the same for a ``seed``.

    All photographs of a sender are in one part: of one person's clothes there are several pictures each, before
    the same wall. As far as that allows, the labels have the same shares in each part. The seed is one of its
    own, apart from that of the training. Each part keeps the order of ``photographs``.

    Raises:
        ValueError: there are fewer than five senders.
    """
    from sklearn.model_selection import StratifiedGroupKFold  # here, because its import takes a second

    if (senders := len(np.unique(photographs.sender))) < _FOLDS:
        raise ValueError(f"there are {senders} senders; at least {_FOLDS} are needed to keep them apart")
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    everything = np.arange(len(photographs))
    parts = [aside for _, aside in folds.split(everything, photographs.label, photographs.sender)]
    test, validation = parts[:2]
    train = np.setdiff1d(everything, np.concatenate([validation, test]))
    return photographs.at(train), photographs.at(validation), photographs.at(test)
