"""One side of the benchmark: stock Keras, as its users write it. Nothing of the fast path is imported.

With ``--augment`` this is the mini-project's recipe: ``ImageDataGenerator``, one ``fit`` call, float32.
"""

import keras
from keras.src.legacy.preprocessing.image import ImageDataGenerator  # what tf.keras exports under that name
from side import Clock, arguments, arrays, report

args = arguments(__doc__)
keras.utils.set_random_seed(args.seed)
(x, y), validation = arrays(args)
layers = keras.layers
model = keras.Sequential(
    [
        keras.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.MaxPooling2D(),
        layers.Conv2D(128, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
clock = Clock()
timed = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: clock.lap())
options = {"validation_data": validation, "epochs": args.epochs, "callbacks": [timed], "verbose": 0}
if args.augment:
    moved = ImageDataGenerator(rotation_range=10, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.1)
    history = model.fit(moved.flow(x, y, batch_size=args.batch, seed=args.seed), **options)
else:
    history = model.fit(x, y, batch_size=args.batch, **options)
report(clock, history.history["val_accuracy"][-1], lambda: model.predict(x, batch_size=500, verbose=0), len(x))
