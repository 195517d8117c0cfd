"""One side of the benchmark: stock Keras, as its users write it. Nothing of the fast path is imported.

With ``--augment`` this is the mini-project's recipe: ``ImageDataGenerator``, one ``fit`` call, float32.
"""

import keras

from studies.speed import stock
from studies.speed.clock import Clock
from studies.speed.side import arguments, arrays, report

args = arguments(__doc__)
keras.utils.set_random_seed(args.seed)
(x, y), validation = arrays(args)
model = stock.network()
clock = Clock()
timed = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: clock.lap())
options = {"validation_data": validation, "epochs": args.epochs, "callbacks": [timed], "verbose": 0}
if args.augment:
    history = model.fit(stock.augmented(x, y, args.batch, args.seed), **options)
else:
    history = model.fit(x, y, batch_size=args.batch, **options)
report(clock, history.history["val_accuracy"][-1], lambda: model.predict(x, batch_size=500, verbose=0), len(x))
