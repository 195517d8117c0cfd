"""Where the time of a training step goes, by TensorFlow's profiler: one line of JSON.

One thread, so that times add up; the profiler itself costs some.
"""

import collections
import json
import os
import tempfile
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

from tensorflow.tsl.profiler.protobuf import xplane_pb2  # noqa: E402

from fmnist_utils import augmentation, models, training  # noqa: E402
from fmnist_utils.fast import towers  # noqa: E402
from studies.speed.side import arguments, splits  # noqa: E402

tf = training.tf
args = arguments(__doc__)
training.use_precision(args.precision)
train, _ = splits(args)
model = towers.in_towers(models.batchnorm(), 1)
model.compile("adam", "categorical_crossentropy", steps_per_execution=training.STEPS_PER_EXECUTION)
pipeline = training.batches(train, args.batch, 0, augmentation.RandomAffine())
model.fit(pipeline, verbose=0, shuffle=False)
with tempfile.TemporaryDirectory() as folder:
    with tf.profiler.experimental.Profile(folder):
        model.fit(pipeline, verbose=0, shuffle=False)
    trace = xplane_pb2.XSpace()
    trace.ParseFromString(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
steps = -(-len(train) // args.batch)
milliseconds = collections.Counter()
executor = {"Process", "Run"}  # spans that hold the ops, counted once already
for plane in trace.planes:
    for line in plane.lines:
        for event in line.events:
            path, _, kind = plane.event_metadata[event.metadata_id].name.rpartition(":")
            if (
                path
                and "::" not in path
                and kind not in executor
                and (kind[:1].isupper() or kind.startswith("_Mkl"))
            ):  # an op
                kind = kind.removeprefix("_MklNative").removeprefix("_Mkl").removesuffix("WithBias")
                milliseconds[kind] += event.duration_ps / 1e9 / steps
print(json.dumps({kind: round(value, 3) for kind, value in milliseconds.most_common(14)}))
