"""One side of the benchmark: this project's path, on the same network.

``--without`` puts the stock part in the place of one fast part: towers, bn or steps.
"""

from fmnist_utils import augmentation, models, training
from fmnist_utils.fast import towers
from studies.speed.clock import Clock
from studies.speed.side import arguments, report, splits
from studies.stock_layers import with_stock_layers

keras = training.keras
args = arguments(__doc__)
training.use_precision(args.precision)
keras.utils.set_random_seed(args.seed)
train, validation = splits(args)
model = models.batchnorm()
if args.without == "bn":
    model = with_stock_layers(model)
fast = towers.in_towers(model, 1 if args.without == "towers" else towers.TOWERS)
fast.compile(
    optimizer="adam",
    loss="categorical_crossentropy",
    metrics=["accuracy"],
    steps_per_execution=1 if args.without == "steps" else training.STEPS_PER_EXECUTION,
    jit_compile=False,
)
clock = Clock()
history = fast.fit(
    training.batches(train, args.batch, args.seed, augmentation.RandomAffine() if args.augment else None),
    validation_data=training.batches(validation, training.EVALUATION_BATCH),
    epochs=args.epochs,
    shuffle=False,
    verbose=0,
    callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: clock.lap())],
)
accuracy = history.history["val_accuracy"][-1]
report(clock, accuracy, lambda: training.predict(model, train.images), len(train))
