"""One side of the benchmark: PyTorch on the same network, channels-last, tensors in memory, a thread a core."""

import numpy as np
import torch
from torch import nn

from fmnist_utils.support import cores
from studies.speed.clock import Clock
from studies.speed.side import arguments, arrays, report

args = arguments(__doc__)
torch.manual_seed(args.seed)
torch.set_num_threads(cores.available())


def block(inputs: int, filters: int) -> list[nn.Module]:
    # Keras's momentum of 0.99 and epsilon of 0.001 in PyTorch's terms
    return [nn.Conv2d(inputs, filters, 3), nn.ReLU(), nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01)]


def tensors(x: np.ndarray, y: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    return images.to(memory_format=torch.channels_last), torch.from_numpy(y.argmax(axis=1))


network = nn.Sequential(
    *block(1, 32),
    nn.MaxPool2d(2),
    *block(32, 64),
    nn.MaxPool2d(2),
    *block(64, 128),
    nn.Flatten(),
    nn.Linear(1152, 128),
    nn.ReLU(),
    nn.Dropout(0.5),
    nn.Linear(128, 10),
).to(memory_format=torch.channels_last)
(x, y), (vx, vy) = (tensors(*pair) for pair in arrays(args))
optimizer = torch.optim.Adam(network.parameters(), lr=0.001, eps=1e-7, fused=True)
loss_of = nn.CrossEntropyLoss()
forward = torch.compile(network) if args.compile else network


def bfloat16():
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=args.precision != "float32")


def classes(images: torch.Tensor) -> torch.Tensor:
    network.eval()
    with torch.no_grad(), bfloat16():
        return torch.cat([forward(part).argmax(1) for part in images.split(500)])


clock = Clock()
for _ in range(args.epochs):
    network.train()
    for part in torch.randperm(len(y)).split(args.batch):
        with bfloat16():
            loss = loss_of(forward(x[part]), y[part])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    accuracy = float((classes(vx) == vy).float().mean())
    clock.lap()
report(clock, accuracy, lambda: classes(x), len(y))
