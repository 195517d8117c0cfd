"""What decides one training of lesson 8's search: the names of all that it can be told, and what won."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training but its seed; the defaults are what won.

    Attributes:
        network: see ``networks.build``; "resnet 20", or the name of a lesson's network.
        epochs: a schedule has its own; in ``ideas.IDEAS`` they say how many fit into the time of the winner's
            ten.
        held_out: how many training images are set aside and scored; 0 trains on all 60,000.
        batch_size, learning_rate, label_smoothing, momentum, activation: as Keras has them; the rate
            is the peak of one cycle, the momentum that of batch normalization.
        optimizer: "muon", "adamw", "sgd" (Nesterov), all under one cycle; "sgd in steps" (a tenth after half
            and again after three quarters); "adam" at a constant rate.
        weight_decay: times the rate, off every kernel at every step.
        ghost_batches: into how many parts each batch is cut, each normalized by itself.
        keep_easy: how often a pass shows easy images; "hard_late" instead leaves out, in the
            last 40% of the training, what was then easier than the median.
        flip: "random", "alternating" (each image mirrored in every other epoch) or "none".
        shift_pixels: largest shift.
        lesson_4: lesson 4's turns, shifts and zooms instead of flips, shifts and cutout.
        erase, cutout, mixup, cutmix: probability of a random rectangle of noise an image, side of a black
            square, and probabilities that a batch is mixed with itself.
        whole_last: share of the epochs, at the end, without cutout.
        warp: how far images are turned and zoomed after that, as a share of lesson 4's reach.
        dropout: before the last layer.
        small_first: share of the epochs that see the images at 20 x 20 pixels.
        sharpness: how far weights move uphill before each gradient is taken, 0 for not at all.
        average: decay of the weights' moving average, 0 for none.
        latest: of how many last epochs the weights at their ends are averaged, 0 for none. After either
            average the statistics of batch normalization are taken anew.
        last_rate: where the rate ends, as a share of its peak.
    """

    network: str = "32 48p + 64p + +"
    epochs: int = 10
    held_out: int = 10_000
    batch_size: int = 128
    learning_rate: float = 0.007
    optimizer: str = "muon"
    weight_decay: float = 0.1
    label_smoothing: float = 0.1
    momentum: float = 0.9
    activation: str = "relu"
    ghost_batches: int = 2
    keep_easy: float = 0.3
    hard_late: bool = False
    flip: str = "random"
    shift_pixels: int = 2
    lesson_4: bool = False
    erase: float = 0.0
    cutout: int = 8
    whole_last: float = 0.0
    warp: float = 0.0
    dropout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    small_first: float = 0.0
    average: float = 0.0
    latest: int = 0
    last_rate: float = 0.0
    sharpness: float = 0.0
