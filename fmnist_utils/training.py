"""Training at the machine's speed: precision, input pipeline, fit, and runs that are kept.

``train_or_load`` is what the lessons call. A run's key is a hash of all that decides its outcome, so a
training that was done before is read back, and a changed line of code trains anew.
"""

import re
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fmnist_utils import data, runs
from fmnist_utils.fast import infobatch, towers
from fmnist_utils.support import copies, environment, files, fingerprint, formatting, keys, progress
from fmnist_utils.support.keys import same_architecture  # noqa: F401  the lessons' proof that two models are one
from fmnist_utils.support.startup import keras, tf

EVALUATION_BATCH = 500  # large enough to be quick, small enough to stay in cache
STEPS_PER_EXECUTION = 16

# Read at import: a file that is changed while a notebook is open is not the code that the notebook runs.
_CODE = fingerprint.training()

Augment = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # (images, seed) -> images, as ``RandomAffine``
Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # (labels, probabilities) -> losses, as Keras's


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a network is trained: together with the network, the data and the code, what decides the outcome.

    Attributes:
        epochs, batch_size: as Keras has them.
        seed: of the weights, the order of the images, dropout and augmentation.
        learning_rate: of Adam, which trains where no ``optimizer`` is given.
        optimizer: its settings are what counts; a fresh one is made of them.
        loss: as Keras has it; None is the cross-entropy with ``label_smoothing``.
        label_smoothing: of the cross-entropy, as Keras has it.
        augment: random transforms of the training images: a ``RandomAffine`` or any function like it.
        ghost_batches: into how many parts each batch is cut, see ``towers.ghost_batches``; 1 leaves it whole.
        keep_easy: how often a pass shows an easy image, see ``infobatch``; 1 shows all images once an epoch.
        validation_freq: validate every so many epochs; the history has a value for each validation.
    """

    epochs: int
    batch_size: int
    seed: int
    learning_rate: float = 0.001
    optimizer: keras.optimizers.Optimizer | None = None
    loss: Loss | None = None
    label_smoothing: float = 0.0
    augment: Augment | None = None
    ghost_batches: int = 1
    keep_easy: float = 1.0
    validation_freq: int = 1

    def __post_init__(self) -> None:
        if self.loss is not None and self.label_smoothing:
            raise ValueError("loss and label_smoothing are both given; label_smoothing is the cross-entropy's")
        if not isinstance(self.optimizer, keras.optimizers.Optimizer | None):
            raise TypeError(
                f"optimizer is {self.optimizer!r}; expected one of Keras's, such as keras.optimizers.SGD()"
            )
        object.__setattr__(self, "loss", keras.losses.get(self.loss))  # it may be given by its name
        for field in fields(self):  # 5.0 epochs, or a number of NumPy's, are the same training as 5
            if field.type in (int, float):
                given = getattr(self, field.name)
                if field.type(given) != given:
                    raise ValueError(f"{field.name} is {given}; expected a whole number")
                object.__setattr__(self, field.name, field.type(given))
        for name in ("epochs", "batch_size", "ghost_batches", "validation_freq"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")


@dataclass(frozen=True)
class Trained:
    """A finished training.

    Attributes:
        name: what the lesson calls it.
        model: the model after its last epoch.
        history: ``accuracy``, ``loss``, ``val_accuracy``, ``val_loss``: a list each, one value an epoch
            (with ``validation_freq`` above 1, one for each validation).
        metrics: the last values and what led to them, as in ``metrics.json``.
        path: its folder in the run.
    """

    name: str
    model: keras.Model
    history: dict[str, list[float]]
    metrics: dict[str, Any]
    path: Path


def use_precision(precision: str = "auto") -> str:
    """Set the precision in which layers built from now on compute; weights stay float32.

    ``precision`` is "bfloat16", "float32", or "auto": bfloat16 where the processor has instructions for it
    (AMX or AVX-512-BF16; GPUs of compute capability 8 and above), float32 elsewhere, where bfloat16 is
    emulated and slow. Returns the Keras dtype policy in force, "mixed_bfloat16" or "float32".
    """
    if precision == "auto":
        precision = "bfloat16" if has_native_bfloat16() else "float32"
    policies = {"bfloat16": "mixed_bfloat16", "float32": "float32"}
    if precision not in policies:
        raise ValueError(f"precision is {precision!r}; expected 'auto', 'bfloat16' or 'float32'")
    keras.config.set_dtype_policy(policies[precision])
    return policies[precision]


def has_native_bfloat16() -> bool:
    """Whether the device that will train has bfloat16 instructions."""
    if gpus := tf.config.list_physical_devices("GPU"):
        return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0)) >= (8, 0)
    return cpu_has_bfloat16() and not environment.ONEDNN_HELD_BACK


def cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether Linux lists ``amx_bf16`` or ``avx512_bf16``; False on systems without ``/proc``."""
    if not cpuinfo.exists():
        return False
    flags = next((line for line in cpuinfo.open(encoding="utf-8") if line.startswith("flags")), "")
    return not {"amx_bf16", "avx512_bf16"}.isdisjoint(flags.split())


def batches(
    split: data.Split, batch_size: int, seed: int | None = None, augment: Augment | None = None
) -> tf.data.Dataset:
    """An input pipeline that gathers whole batches from uint8 arrays in memory; an epoch's last may be smaller.

    It gives images, (n, 28, 28, 1) in [0, 1], and one-hot labels, (n, 10) float32. ``seed`` shuffles, in
    another order each epoch; None keeps the order. ``augment`` gets such images and a seed for this batch.
    """

    def order(epoch_seed: tf.Tensor) -> tf.data.Dataset:
        positions = tf.range(len(split))
        if seed is not None:
            positions = tf.random.experimental.stateless_shuffle(positions, [seed, epoch_seed])
        return tf.data.Dataset.from_tensor_slices(positions)

    positions = _seeds(seed).take(1).flat_map(order).batch(batch_size)
    return _pipeline(positions, _gathering(split, seed, augment), seed, -(-len(split) // batch_size))


def chosen_batches(
    split: data.Split, batch_size: int, seed: int, augment: Augment | None, chosen: infobatch.InfoBatch
) -> tf.data.Dataset:
    """Like ``batches``, of the images that a selection chose when the epoch began.

    Labels are followed by the images' positions, int32, and weights, float32, shape (n,) both.
    """
    gather = _gathering(split, seed, augment)

    def order(_: tf.Tensor) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((chosen.positions, chosen.weights))

    def with_weights(numbers: tuple[tf.Tensor, tf.Tensor], batch_seed: tf.Tensor) -> tuple[tf.Tensor, ...]:
        positions, weights = numbers
        return *gather(positions, batch_seed), positions, weights

    numbers = tf.data.Dataset.range(1).flat_map(order).batch(batch_size)
    return _pipeline(numbers, with_weights, seed, -(-len(split) // batch_size))


def _gathering(split: data.Split, seed: int | None, augment: Augment | None) -> Callable:
    """A function that fetches images and labels by their positions."""
    images, labels = tf.constant(split.images), tf.constant(split.labels)

    def gather(positions: tf.Tensor, batch_seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch = _rescaled(tf.gather(images, positions))
        if augment is not None:
            batch = augment(batch, tf.stack([tf.cast(seed or 0, tf.int64), batch_seed]))
        batch = tf.ensure_shape(batch, [None, *images.shape[1:], 1])  # an augmentation may have lost it
        return tf.cast(batch, keras.config.floatx()), tf.one_hot(tf.gather(labels, positions), 10)

    return gather


def _rescaled(images: tf.Tensor) -> tf.Tensor:
    """uint8 images in [0, 1], float32, with an axis for channels if they have none."""
    return tf.cast(images if images.ndim == 4 else images[..., tf.newaxis], tf.float32) / 255.0


def _pipeline(numbers: tf.data.Dataset, gather: Callable, seed: int | None, steps: int) -> tf.data.Dataset:
    dataset = tf.data.Dataset.zip(numbers, _seeds(seed))
    dataset = dataset.map(gather, num_parallel_calls=1, deterministic=True).prefetch(4)
    options = tf.data.Options()
    options.autotune.enabled = False  # it can hold an epoch's end until its next wake-up, up to 41 s
    return dataset.apply(tf.data.experimental.assert_cardinality(steps)).with_options(options)


def predict(model: keras.Model, images: np.ndarray, batch_size: int = EVALUATION_BATCH) -> np.ndarray:
    """What a model says of images in [0, 1], such as class probabilities, float32 of shape (n, 10).

    Args:
        images: uint8, shape (n, height, width); in colour (n, height, width, 3).
        batch_size: images at once. A model that averages ten views needs the memory of ten times as many.

    Raises:
        TypeError: another dtype.
    """
    if images.dtype != np.uint8:
        raise TypeError(f"images has dtype {images.dtype}; expected uint8 (0 to 255)")
    shown = tf.constant(images)
    positions = tf.data.Dataset.range(len(images)).batch(batch_size)
    pipeline = positions.map(lambda places: _rescaled(tf.gather(shown, places))).prefetch(4)
    return _for_prediction(model).predict(pipeline, verbose=0)


@lru_cache(maxsize=8)  # a model is traced once, however often it is asked
def _for_prediction(model: keras.Model) -> keras.Model:
    return towers.for_prediction(model, towers.TOWERS)


def train_or_load(
    model: keras.Model, train: data.Split, validation: data.Split, config: TrainingConfig, *, name: str
) -> Trained:
    """The finished training of this set-up: read back if this run has it, else trained, with progress.

    The model stays as it is: what is trained is a copy with weights drawn from the seed. ``name`` is what the
    lesson calls it; part of its folder's name, not of the key.

    Raises:
        ModelError: before anything is trained, for a model that Keras cannot build again, save or load.
    """
    if not re.fullmatch(r'\w[^/\\<>:"|?*\0-\x1f]*', name) or len(name.encode()) > 100:
        raise ValueError(f"name is {name!r}; expected up to 100 bytes that can begin any folder's name")
    copies.refuse_lambdas(model)
    _optimizer(config)  # if it cannot be made anew, that is said now
    keras.utils.set_random_seed(config.seed)
    try:
        folder = runs.models_dir() / f"{name}-{run_key(model, train, validation, config)}"
    except keys.UnknownError as unknown:
        copies.require_keepable(model)
        progress.Line(f"{name}: trained anew, and not read back another time, because {unknown}")
        folder = runs.models_dir() / f"{name}-{uuid.uuid4().hex[: fingerprint.DIGITS]}"
    with files.locked(folder):  # another notebook of this run may be training just that
        trained = _read_back(folder, model, name)
        trained = trained or _train(model, train, validation, config, name, folder)
    keras.utils.set_random_seed(config.seed)  # what follows must not depend on whether it was trained here
    return trained


def fit(
    model: keras.Model,
    train: data.Split,
    validation: data.Split,
    config: TrainingConfig,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> dict[str, list[float]]:
    """Train a model in place, from the weights that it has, without keeping anything.

    The config's seed is here that of the order of the images and of augmentation. Returns the history, as
    Keras's ``History.history``.
    """
    augment, size, ghosts = config.augment, config.batch_size, config.ghost_batches
    if getattr(model, "inputs", None) is None and (ghosts > 1 or config.keep_easy != 1):
        raise TypeError(f"{model.name} is not built of layers; ghost_batches and keep_easy need such a model")
    loss = config.loss or keras.losses.CategoricalCrossentropy(label_smoothing=config.label_smoothing)
    fast = towers.ghost_batches(model, ghosts) if ghosts > 1 else towers.in_towers(model, towers.TOWERS)
    if config.keep_easy == 1:
        shown = batches(train, size, config.seed, augment)
    else:
        chosen = infobatch.InfoBatch(len(train), config.keep_easy, config.epochs, config.seed)
        shown, callbacks = chosen_batches(train, size, config.seed, augment, chosen), [chosen, *callbacks]
        fast = infobatch.InfoBatchModel(fast, chosen, getattr(loss, "call", loss))  # of each image
        loss = keras.losses.CategoricalCrossentropy()  # of the validation: to train, it has its own
    fast.compile(
        optimizer=_optimizer(config),
        loss=loss,
        weighted_metrics=["accuracy"],
        steps_per_execution=STEPS_PER_EXECUTION,
        jit_compile=False,  # XLA on a CPU was measured to be twice as slow
    )
    return fast.fit(
        shown,
        validation_data=batches(validation, EVALUATION_BATCH),
        validation_freq=config.validation_freq,
        epochs=config.epochs,
        shuffle=False,  # the pipeline does
        verbose=0,
        callbacks=list(callbacks),
    ).history


def load(folder: Path, like: keras.Model | None = None) -> Trained:
    """Read a finished training from its folder in a run, as ``Trained.path`` has it.

    ``like`` is a model of the same architecture, if that has classes or functions of the reader's own.

    Raises:
        UnreadableError: one of its files is missing or damaged.
    """
    metrics = files.read_json(folder / "metrics.json", dict)
    files.require(metrics, folder / "metrics.json", name=str)
    history = files.read_json(folder / "history.json", dict)
    files.require(history, folder / "history.json", **dict.fromkeys(("loss", *history), list))
    return Trained(metrics["name"], copies.load(folder / "model.keras", like), history, metrics, folder)


def run_key(model: keras.Model, train: data.Split, validation: data.Split, config: TrainingConfig) -> str:
    """Twelve hexadecimal digits that stand for everything that decides what a training gives.

    Raises:
        UnknownError: says what of it cannot be known.
    """
    settings = {}
    for field in fields(config):
        try:
            settings[field.name] = keys.described(getattr(config, field.name))
        except keys.UnknownError as unknown:
            raise keys.UnknownError(f"of {field.name}: {unknown}") from unknown
    try:
        architecture = keys.architecture(model)
    except keys.UnknownError as unknown:
        raise keys.UnknownError(f"of {model.name}: {unknown}") from unknown
    parts = [architecture, settings, train.digest, validation.digest, _CODE, keras.__version__, tf.__version__]
    surroundings = [keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()]
    return fingerprint.hashed([*parts, surroundings, towers.TOWERS])  # each tower draws its own dropout


def _optimizer(config: TrainingConfig) -> keras.optimizers.Optimizer:
    if config.optimizer is None:
        return keras.optimizers.Adam(config.learning_rate)
    return copies.fresh_optimizer(config.optimizer)


def _read_back(folder: Path, model: keras.Model, name: str) -> Trained | None:
    """The training that this run has kept; None if it has none, or one that cannot be read any more."""
    if not folder.is_dir():
        return None
    try:
        trained = load(folder, model)
    except files.UnreadableError as error:
        with suppress(OSError):  # where nothing can be moved, nothing can be kept either, which is said later
            files.set_aside(folder)
        progress.Line(f"{name}: set aside and trained anew, because what was kept cannot be read: {error}")
        return None
    progress.Line(f"{name}: read back from this run's models, trained before")
    return trained


def _train(
    model: keras.Model,
    train: data.Split,
    validation: data.Split,
    config: TrainingConfig,
    name: str,
    folder: Path,
) -> Trained:
    """Train a fresh copy of a model and keep it, in this run if that is possible."""
    copies.require_keepable(model)
    keras.utils.set_random_seed(config.seed)
    copy, shown = copies.fresh(model), _Progress(name, config.epochs)
    began = time.perf_counter()
    history = fit(copy, train, validation, config, callbacks=[shown])
    seconds = time.perf_counter() - began
    metrics = _metrics(copy, train, config, name, history, seconds)
    shown.finish(seconds)
    try:
        return load(_store(folder, copy, history, metrics), model)
    except OSError as error:  # a full disk, a folder that only others may write to
        fault = str(error)
    try:
        kept = _store(Path(tempfile.mkdtemp(prefix="fmnist-")) / folder.name, copy, history, metrics)
        progress.Line(f"{name}: could not be kept in this run ({fault}); for some time it is in {kept}")
        return load(kept, model)
    except OSError:
        progress.Line(f"{name}: could not be kept in this run ({fault}), nor elsewhere; it is only in memory")
        return Trained(name, copy, history, metrics, folder)


def _store(folder: Path, model: keras.Model, history: dict[str, list[float]], metrics: dict[str, Any]) -> Path:
    model.compile()  # or the file would hold the loss, which may be the reader's own

    def fill(beside: Path) -> None:
        model.save(beside / "model.keras", include_optimizer=False)
        files.write_json(beside / "history.json", history)
        files.write_json(beside / "metrics.json", metrics)

    return files.store(folder, fill)


def _metrics(
    model: keras.Model,
    train: data.Split,
    config: TrainingConfig,
    name: str,
    history: dict[str, list[float]],
    seconds: float,
) -> dict[str, Any]:
    """What ``metrics.json`` keeps of a training."""
    optimizer = config.optimizer and keras.saving.serialize_keras_object(config.optimizer)
    settings = {field.name: getattr(config, field.name) for field in fields(config)}
    return {
        "name": name,
        "parameters": model.count_params(),
        **settings,
        "learning_rate": None if optimizer else config.learning_rate,
        "optimizer": optimizer or None,
        "loss": _named(config.loss),
        "augment": _named(config.augment),
        "train_size": len(train),
        "precision": keras.config.dtype_policy().name,
        **{key: values[-1] for key, values in history.items()},
        "seconds": round(seconds, 1),
    }


def _named(value: Any) -> Any:
    """What a reader of ``metrics.json`` wants to know of a function or an object: its name and its settings."""
    if value is None:
        return None
    own = getattr(value, "__dict__", {})
    settings = {key: one for key, one in own.items() if isinstance(one, int | float | str)}
    return {"name": getattr(value, "__qualname__", type(value).__qualname__), "settings": settings}


class _Progress(keras.callbacks.Callback):
    """A line with the epoch, its figures and the time left."""

    def __init__(self, name: str, epochs: int) -> None:
        super().__init__()
        self._name, self._epochs = name, epochs
        self._line = progress.Line(f"{name}: epoch 1/{epochs} …")
        self._began = time.perf_counter()
        self._figures = ""

    def on_epoch_end(self, epoch, logs=None):
        done = epoch + 1
        each = (time.perf_counter() - self._began) / done
        self._figures = f"loss {logs['loss']:.3f}, accuracy {logs['accuracy']:.3f}"
        if "val_loss" in logs:
            self._figures += f", validation loss {logs['val_loss']:.3f}, accuracy {logs['val_accuracy']:.3f}"
        left = formatting.duration(each * (self._epochs - done))
        pace = f"{formatting.duration(each)} an epoch, {left} left"
        self._line.update(f"{self._name}: epoch {done}/{self._epochs}  {self._figures}  {pace}")

    def finish(self, seconds: float) -> None:
        took = f"{self._epochs} epochs in {formatting.duration(seconds)}"
        self._line.update(f"{self._name}: {took}  {self._figures}")


def _seeds(seed: int | None) -> tf.data.Dataset:
    """An endless stream of random numbers, another one in each epoch, the same for the same ``seed``."""
    return tf.data.Dataset.random(seed=seed or 0, rerandomize_each_iteration=True)
