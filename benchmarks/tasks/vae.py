"""A VAE on MNIST, as in PyTorch's examples: 784-400-20, ReLU, Adam with 1e-3, batches of 128.

Both report the loss of the grey test digits. The example also trains on grey pixels. Ours trains on pixels
that are binarised in each step, because a Bernoulli likelihood refuses others.
"""

from __future__ import annotations

import numpy as np

from tasks import mnist

TITLE, FIGURE, THEIRS = "VAE 784-400-20 on MNIST", "loss per test digit", "PyTorch's example"
TARGET, LOWER = 115.0, True
BATCH, RATE = 128, 1e-3


def ours(reached) -> None:
    from scratchgen import VAE, load_digits
    from scratchgen.layers import ReLU

    digits = load_digits("full")
    model = VAE.dense((784, 400, 20), activation=ReLU, binarisation="dynamic", rng=0)
    rng = np.random.default_rng(1)

    def loss() -> float:
        parts = digits.x_test.reshape(-1, 1000, 784)
        return float(np.mean([model.loss(x, rng=rng)[0] for x in parts]))

    model.fit(
        digits.x_train, epochs=50, batch_size=BATCH, lr=RATE, rng=0,
        callbacks=[until(lambda: reached(loss()))],
    )  # fmt: skip


def until(done):
    """A callback that stops the run when done() returns True after an epoch."""
    from scratchgen import Callback

    class Until(Callback):
        def on_epoch(self, trainer, values):
            if done():
                trainer.stop("the figure is reached")

    return Until()


def theirs(reached) -> None:
    import torch
    from torch import nn
    from torch.nn import functional
    from torch.utils.data import DataLoader

    torch.manual_seed(1)
    x_train, _, x_test, _ = mnist()
    train = DataLoader(torch_digits(x_train), batch_size=BATCH, shuffle=True)
    test = DataLoader(torch_digits(x_test), batch_size=BATCH)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean, self.logvar = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
            self.back, self.pixels = nn.Linear(20, 400), nn.Linear(400, 784)

        def forward(self, x):
            h = torch.relu(self.hidden(x))
            mean, logvar = self.mean(h), self.logvar(h)
            z = mean + torch.randn_like(mean) * torch.exp(0.5 * logvar)
            return torch.sigmoid(self.pixels(torch.relu(self.back(z)))), mean, logvar

    def loss(out, x, mean, logvar):
        crossed = functional.binary_cross_entropy(out, x, reduction="sum")
        return crossed - 0.5 * torch.sum(1 + logvar - mean.pow(2) - logvar.exp())

    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    while True:
        net.train()
        for x, _ in train:
            x = x.view(-1, 784)
            optimizer.zero_grad()
            out, mean, logvar = net(x)
            loss(out, x, mean, logvar).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            total = sum(loss((r := net(x.view(-1, 784)))[0], x.view(-1, 784), *r[1:]).item() for x, _ in test)
        if reached(total / len(x_test)):
            return


def torch_digits(images: np.ndarray, labels: np.ndarray | None = None, normalise: bool = False):
    """A Dataset of digits as torchvision's: each item is converted when it is asked for."""
    import torch
    from torch.utils.data import Dataset

    data = torch.from_numpy(np.array(images))
    classes = torch.from_numpy(np.zeros(len(images), np.int64) if labels is None else labels)

    class Data(Dataset):
        def __len__(self):
            return len(data)

        def __getitem__(self, i):
            x = data[i].unsqueeze(0).float().div(255)
            return ((x - 0.1307) / 0.3081 if normalise else x), int(classes[i])

    return Data()
