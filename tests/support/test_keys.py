"""The key of a training, in a real kernel: whatever decides the outcome changes it, and nothing else does."""

from collections.abc import Callable, Iterator

import pytest
from jupyter_client.manager import start_new_kernel

BEGIN = """
import functools
from fmnist_utils import data, models, training
from fmnist_utils.support import keys
import keras, numpy as np, tensorflow as tf
few = data.subset(data.load().train, 200, seed=0)
I, F, D = keras.Input((28, 28, 1)), keras.layers.Flatten, keras.layers.Dense

def show(model=None, **given):
    config = training.TrainingConfig(**{"epochs": 1, "batch_size": 50, "seed": 0} | given)
    try:
        print(training.run_key(model or models.dense(), few, few, config))
    except keys.UnknownError as error:
        print("unknown", error)
"""

# A cell, and what is replaced in it: the key has to be another one.
DIFFERENT = {
    "a global": ("ANGLE = 10\ndef f(x, seed): return x * ANGLE\nshow(augment=f)", "10", "180"),
    "a global of a called function": (
        "K = 1\ndef g(x): return x * K\ndef f(x, seed): return g(x)\nshow(augment=f)",
        "K = 1",
        "K = 2",
    ),
    "the body of a function two calls away": (
        "def h(x): return x + 1\ndef g(x): return h(x)\ndef f(x, seed): return g(x)\nshow(augment=f)",
        "x + 1",
        "x - 1",
    ),
    "a closure": ("def by(k):\n    return lambda x, seed: x * k\nshow(augment=by(1.0))", "1.0", "2.0"),
    "a closure's array": (
        "def by(k):\n    return lambda x, seed: x * k\nshow(augment=by(np.array([1.0, 2.0])))",
        "2.0]",
        "3.0]",
    ),
    "a bound argument": (
        "def f(x, seed, k): return x * k\nshow(augment=functools.partial(f, k=1))",
        "k=1",
        "k=2",
    ),
    "a default": ("def f(x, seed, k=1): return x * k\nshow(augment=f)", "k=1", "k=2"),
    "a keyword's default": ("def f(x, seed, *, k=1): return x * k\nshow(augment=f)", "k=1", "k=2"),
    "an object's state": (
        "class By:\n    def __init__(self, k): self.k = k\n"
        "    def __call__(self, x, seed): return x * self.k\nshow(augment=By(1))",
        "By(1)",
        "By(2)",
    ),
    "a class attribute": (
        "class By:\n    k = 1\n    def __call__(self, x, seed): return x * self.k\nshow(augment=By())",
        "k = 1",
        "k = 2",
    ),
    "a method of a class that it is derived from": (
        "class A:\n    def k(self): return 1\nclass By(A):\n"
        "    def __call__(self, x, seed): return x * self.k()\nshow(augment=By())",
        "return 1",
        "return 2",
    ),
    "what a decorator wraps": (
        "def twice(f):\n    @functools.wraps(f)\n    def g(x, seed): return f(f(x, seed), seed)\n    return g\n"
        "@twice\ndef f(x, seed): return x + 1\nshow(augment=f)",
        "x + 1",
        "x + 2",
    ),
    "a compiled function": ("@tf.function\ndef f(x, seed): return x + 1\nshow(augment=f)", "x + 1", "x + 2"),
    "a cached function": (
        "@functools.cache\ndef k(): return 1\ndef f(x, seed): return x + k()\nshow(augment=f)",
        "return 1",
        "return 2",
    ),
    "a tensor": ("T = tf.constant([1.0])\ndef f(x, seed): return x * T\nshow(augment=f)", "1.0", "2.0"),
    "a comparison": (
        "def f(x, seed): return tf.where(x > 0.5, x, 0)\nshow(augment=f)",
        "x > 0.5",
        "x < 0.5",
    ),
    "the order of a dictionary": (
        'PARTS = {"a": 1, "b": 2}\ndef f(x, seed): return x * [*PARTS.values()][0]\nshow(augment=f)',
        '"a": 1, "b": 2',
        '"b": 2, "a": 1',
    ),
    "a Keras layer in a function": (
        "flip = keras.layers.RandomFlip(seed=1)\ndef f(x, seed): return flip(x)\nshow(augment=f)",
        "seed=1",
        "seed=2",
    ),
    "a loss's body": (
        "def loss(y, p): return keras.losses.categorical_crossentropy(y, p) * 1.0\nshow(loss=loss)",
        "1.0",
        "2.0",
    ),
    "a loss's setting that Keras's configuration lacks": (
        "show(loss=keras.losses.Huber(0.3))",
        "0.3",
        "0.4",
    ),
    "a schedule": (
        "class Rate(keras.optimizers.schedules.LearningRateSchedule):\n"
        "    def __call__(self, step): return 0.1\n    def get_config(self): return {}\n"
        "show(optimizer=keras.optimizers.SGD(Rate()))",
        "0.1",
        "0.2",
    ),
    "an optimizer's step": (
        "class Own(keras.optimizers.SGD):\n"
        "    def update_step(self, g, v, rate): v.assign_sub(g * 0.1)\nshow(optimizer=Own())",
        "0.1",
        "0.2",
    ),
    "an activation's body": (
        "def own(x): return tf.nn.relu(x) * 1.0\nshow(keras.Sequential([I, F(), D(10, activation=own)]))",
        "1.0",
        "2.0",
    ),
    "a layer's call": (
        "class Own(keras.layers.Layer):\n    def call(self, x): return x * 1.0\n"
        "show(keras.Sequential([I, Own(), F(), D(10)]))",
        "1.0",
        "2.0",
    ),
    "a layer's setting": (
        "class Own(keras.layers.Layer):\n    def __init__(self, k):\n        super().__init__()\n"
        "        self.k = k\n    def call(self, x): return x * self.k\n"
        "show(keras.Sequential([I, Own(1), F(), D(10)]))",
        "Own(1)",
        "Own(2)",
    ),
    "a regularizer's body": (
        "class Own(keras.regularizers.Regularizer):\n    def __call__(self, w): return tf.reduce_sum(w) * 0.1\n"
        "    def get_config(self): return {}\n"
        "show(keras.Sequential([I, F(), D(10, kernel_regularizer=Own())]))",
        "0.1",
        "0.2",
    ),
    "a registered layer's call": (
        "@keras.saving.register_keras_serializable('own')\nclass Own(keras.layers.Layer):\n"
        "    def call(self, x): return x * 1.0\nshow(keras.Sequential([I, Own(), F(), D(10)]))",
        "1.0",
        "2.0",
    ),
    "a layer of a model of one's own": (
        "class Own(keras.Model):\n    def __init__(self):\n        super().__init__()\n"
        "        self.flat, self.out = F(), D(16)\n    def call(self, x): return self.out(self.flat(x))\n"
        "show(Own())",
        "D(16)",
        "D(17)",
    ),
    "which of two like functions comes again": (
        "def by(k):\n    def g(x, seed): return x * k\n    return g\na, b = by(1.0), by(0.0)\n"
        "class All:\n    def __init__(self, *parts): self.parts = parts\n"
        "    def __call__(self, x, seed): return sum(part(x, seed) for part in self.parts)\n"
        "show(augment=All(a, b, b))",
        "b, b))",
        "b, a))",
    ),
    "the state of a decorator that is a class": (
        "class Times:\n    def __init__(self, f, k):\n        functools.update_wrapper(self, f)\n"
        "        self.f, self.k = f, k\n    def __call__(self, x, seed): return self.f(x, seed) * self.k\n"
        "def f(x, seed): return x\nshow(augment=Times(f, 1.0))",
        "f, 1.0",
        "f, 2.0",
    ),
    "a compiled method": (
        "class By:\n    @tf.function\n    def __call__(self, x, seed): return x * 1.0\nshow(augment=By())",
        "1.0",
        "2.0",
    ),
    "a function bound as a method": (
        "import types\ndef f(self, x, seed): return x * 1.0\nshow(augment=types.MethodType(f, 'any'))",
        "1.0",
        "2.0",
    ),
    "the default of a dictionary": (
        "import collections\nK = collections.defaultdict(lambda: 1.0)\n"
        "def f(x, seed): return x * K['new']\nshow(augment=f)",
        "1.0",
        "2.0",
    ),
    "a class that is called like one of Keras's": (
        "class Node:\n    def __call__(self, x, seed): return x * 1.0\nshow(augment=Node())",
        "1.0",
        "2.0",
    ),
    "a wrapped activation": (
        "@keras.saving.register_keras_serializable('own')\n@tf.autograph.experimental.do_not_convert\n"
        "def own(x): return tf.nn.relu(x) * 1.0\nshow(keras.Sequential([I, F(), D(10, activation=own)]))",
        "1.0",
        "2.0",
    ),
    "a setting that a layer's configuration lacks": (
        "class Own(keras.layers.Layer):\n    def __init__(self, k):\n        super().__init__()\n"
        "        self.k = k\n    def call(self, x): return x * self.k\n"
        "    def get_config(self): return {'k': self.k}\n"
        "own = Own(1.0)\nown.trainable = True\nshow(keras.Sequential([I, own, F(), D(10)]))",
        "= True",
        "= False",
    ),
    "a setting that an optimizer's configuration lacks": (
        "class Own(keras.optimizers.SGD):\n    def __init__(self, k=1.0):\n        super().__init__()\n"
        "        self.k = k\nshow(optimizer=Own(1.0))",
        "Own(1.0)",
        "Own(2.0)",
    ),
    "what an optimizer does not decay": (
        "rule = keras.optimizers.AdamW()\nrule.exclude_from_weight_decay(var_names=['bias'])\n"
        "show(optimizer=rule)",
        "['bias']",
        "['gamma']",
    ),
    "a model's own training step": (
        "class Own(keras.Sequential):\n    def train_step(self, data): return {'loss': 1.0}\n"
        "show(Own([I, F(), D(10)]))",
        "1.0",
        "2.0",
    ),
}

# A cell, and what is replaced in it: the key has to stay.
SAME = {
    "nothing": ("def f(x, seed): return x * 2\nshow(augment=f)", "", ""),
    "a comment": ("def f(x, seed): return x * 2\nshow(augment=f)", "x * 2", "x * 2  # twice"),
    "a docstring": ('def f(x, seed):\n    "One."\n    return x * 2\nshow(augment=f)', "One", "Two"),
    "a docstring that comes": ("def f(x, seed):\n    return x * 2\nshow(augment=f)", ":\n", ':\n    "New."\n'),
    "white space and lines": (
        "def f(x, seed):\n    return x * 2\nshow(augment=f)",
        "def f",
        "\n\n# prose\n\ndef f",
    ),
    "a variable elsewhere": ("n = 1\ndef f(x, seed): return x * 2\nshow(augment=f)", "n = 1", "m = 7"),
    "a function elsewhere": (
        "def g(): return 1\ndef f(x, seed): return x * 2\nshow(augment=f)",
        "return 1",
        "return 2",
    ),
    "an annotation": ("def f(x, seed): return x * 2\nshow(augment=f)", "(x, seed)", "(x: tf.Tensor, seed)"),
    "the order of definitions": (
        "def g(x): return x\ndef h(x): return x + 1\ndef f(x, seed): return g(h(x))\nshow(augment=f)",
        "def g(x): return x\ndef h(x): return x + 1\n",
        "def h(x): return x + 1\ndef g(x): return x\n",
    ),
    "a layer's name": (
        "class Own(keras.layers.Layer):\n    def call(self, x): return x * 1.0\n"
        "show(keras.Sequential([I, Own(name='a'), F(), D(10)]))",
        "'a'",
        "'b'",
    ),
    "10 and 10.0 degrees": (
        "from fmnist_utils import augmentation\nshow(augment=augmentation.RandomAffine(rotation=10))",
        "=10",
        "=10.0",
    ),
    "a layer's own initializer": (
        "class Own(keras.layers.Layer):\n    def __init__(self):\n        super().__init__()\n"
        "        self.start = keras.initializers.get('he_normal')\n    def call(self, x): return x * 1.0\n"
        "show(keras.Sequential([I, Own(), F(), D(10)]))",
        "",
        "",
    ),
    "a layer that is derived from one of Keras's": (
        "class Own(keras.layers.Dense): pass\nshow(keras.Sequential([I, F(), Own(10)]))",
        "",
        "",
    ),
    "a loss's name": (
        "class Own(keras.losses.Loss):\n    def call(self, y, p): return tf.reduce_mean((y - p) ** 2, -1)\n"
        "show(loss=Own())",
        "Own()",
        "Own(name='other')",
    ),
    "a random layer that was used": (
        "flip = keras.layers.RandomFlip(seed=1)\ndef f(x, seed): return flip(x)\n1\nshow(augment=f)",
        "\n1\n",
        "\n_ = flip(np.ones((1, 28, 28, 1)))\n",
    ),
    "a model that was used": (
        "m = keras.Sequential([I, F(), D(10)])\n1\nshow(m)",
        "\n1\n",
        "\n_ = m(np.ones((1, 28, 28, 1)))\nm.compile('sgd', 'mse')\n",
    ),
    "a set's order in memory": (
        "NAMES = {'shirt', 'coat', 'bag'}\ndef f(x, seed): return x * len(NAMES)\nshow(augment=f)",
        "'shirt', 'coat', 'bag'",
        "'bag', 'shirt', 'coat'",
    ),
}

UNKNOWN = {
    "a file": "def f(x, seed): return x * float(open('k.txt').read())\nshow(augment=f)",
    "an array's file": "def f(x, seed): return x * np.load('k.npy')\nshow(augment=f)",
    "the environment": "import os\ndef f(x, seed): return x * float(os.environ['K'])\nshow(augment=f)",
    "an import inside": "def f(x, seed):\n    import os\n    return x * float(os.getenv('K'))\nshow(augment=f)",
    "a clock": "import time\ndef f(x, seed): return x * time.time()\nshow(augment=f)",
    "names that are made up": "K = 2\ndef f(x, seed): return x * globals()['K']\nshow(augment=f)",
    "evaluated text": "K = 2\ndef f(x, seed): return x * eval('K')\nshow(augment=f)",
    "a path that is read": (
        "from pathlib import Path\nK = Path('k')\n"
        "def f(x, seed): return x * len(K.read_text())\nshow(augment=f)"
    ),
    "a function that loads": (
        "from numpy import load\ndef f(x, seed): return x * load('k.npy')\nshow(augment=f)"
    ),
    "a file by another name": "m = np\ndef f(x, seed): return x * m.load('k.npy')\nshow(augment=f)",
    "a path that is opened": (
        "from pathlib import Path\nK = Path('k')\n"
        "def f(x, seed): return x * len(K.open().read())\nshow(augment=f)"
    ),
    "a table": "import pandas as pd\ndef f(x, seed): return x * len(pd.read_pickle('k'))\nshow(augment=f)",
    "a generator": "k = (i for i in range(9))\ndef f(x, seed): return x * next(k)\nshow(augment=f)",
}

Run = Callable[[str], str]


@pytest.fixture(scope="module")
def new_kernel(tmp_path_factory) -> Iterator[Callable[[], Run]]:
    """Starts a kernel; gives a function that runs a cell there and returns what it printed."""
    clients, store = [], tmp_path_factory.mktemp("store")

    def start() -> Run:
        manager, client = start_new_kernel(cwd=str(store))
        clients.append((manager, client))

        def run(cell: str) -> str:
            printed = []

            def hear(message: dict) -> None:
                content = message["content"]
                if message["msg_type"] == "error":
                    raise AssertionError("\n".join(content["traceback"]))
                printed.append(content.get("text") or content.get("data", {}).get("text/plain", "") + "\n")

            client.execute_interactive(cell, output_hook=hear, timeout=120)
            return "".join(printed).strip()

        run(f"import os\nos.environ['FMNIST_RUNS_DIR'] = {str(store / 'runs')!r}\n{BEGIN}")
        return run

    yield start
    for manager, client in clients:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def run(new_kernel) -> Run:
    return new_kernel()


@pytest.mark.parametrize(("cell", "old", "new"), DIFFERENT.values(), ids=DIFFERENT)
def test_what_decides_the_outcome_changes_the_key(cell, old, new, run):
    first, changed, again = run(cell), run(cell.replace(old, new)), run(cell)
    assert len(first) == len(changed) == 12, "both are known"
    assert first != changed
    assert first == again


@pytest.mark.parametrize(("cell", "old", "new"), SAME.values(), ids=SAME)
def test_what_changes_nothing_keeps_the_key(cell, old, new, run):
    first = run(cell)
    assert len(first) == 12
    assert first == run(cell.replace(old, new) if old else cell)


@pytest.mark.parametrize("cell", UNKNOWN.values(), ids=UNKNOWN)
def test_what_depends_on_the_outside_has_no_key(cell, run):
    assert run(cell).startswith("unknown of augment: it ")


def test_a_module_beside_the_notebook_is_the_readers_own_code(run, tmp_path):
    path = tmp_path / "mine.py"
    keys = []
    for text in (
        "K = 1\ndef g(x): return x * K\n",
        "K = 2\ndef g(x): return x * K\n",
        "K = 1\ndef g(x): return x * K  # one\n",
    ):
        path.write_text(text)
        keys.append(
            run(
                f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nsys.dont_write_bytecode = True\n"
                "sys.modules.pop('mine', None)\nimport mine\ndef f(x, seed): return mine.g(x)\nshow(augment=f)"
            )
        )
    assert keys[0] != keys[1]
    assert keys[0] == keys[2]


OWN = """
class Scaled(keras.layers.Layer):
    def __init__(self, k):
        super().__init__()
        self.k = k
    def call(self, x): return x * self.k

@keras.saving.register_keras_serializable("own")
class Shifted(keras.layers.Layer):
    def call(self, x): return x + 0.1

def act(x): return tf.nn.relu(x)
def loss(y, p): return keras.losses.categorical_crossentropy(y, p)
def dim(x, seed): return x * 0.9

class Whole(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.out = F(), D(10, activation="softmax")
    def call(self, x): return self.out(self.flat(x))

config = training.TrainingConfig(epochs=1, batch_size=50, seed=0, loss=loss, augment=dim)
layered = keras.Sequential(
    [I, Scaled(2.0), Shifted(), F(), D(16, activation=act), D(10, activation="softmax")]
)
for model in (layered, Whole()):
    trained = training.train_or_load(model, few, few, config, name="own")
    print("answers", training.predict(trained.model, few.images[:2]).round(3).tolist(), trained.history["loss"])
"""


def test_ones_own_parts_are_trained_and_read_back_in_the_next_session(run, new_kernel):
    first, second = run(OWN), new_kernel()(OWN)
    assert first.count("1 epochs in") == 2
    assert second.count("read back") == 2
    answers = [[line for line in text.splitlines() if line.startswith("answers")] for text in (first, second)]
    assert answers[0] == answers[1]


def test_what_is_not_known_is_trained_anew_and_says_so(run):
    cell = (
        "import time\ndef f(x, seed): return x * (time.time() > 0)\n"
        "config = training.TrainingConfig(epochs=1, batch_size=50, seed=0, augment=f)\n"
        "trained = training.train_or_load(models.dense(), few, few, config, name='unknown')"
    )
    for said in (run(cell), run(cell)):
        assert "unknown: trained anew, and not read back another time, because of augment: it uses time" in said
        assert "1 epochs in" in said
