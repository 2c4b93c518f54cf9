"""A convolutional classifier of MNIST, as in PyTorch's examples; ours is ConvClassifier, a smaller network.

Theirs: two convolutions 3x3 of 32 and 64 channels, max-pooling, dropout, a hidden layer of 128; Adadelta with
1.0, multiplied by 0.7 after each epoch; batches of 64.
"""

from __future__ import annotations

from tasks import mnist
from tasks.vae import torch_digits, until

TITLE, FIGURE, THEIRS = "ConvNet on MNIST", "test error, %", "PyTorch's example"
TARGET, LOWER = 2.0, True


def ours(reached) -> None:
    from scratchgen import ConvClassifier, load_digits

    digits = load_digits("full")
    model = ConvClassifier(rng=0)
    model.fit(
        digits.x_train, digits.y_train, epochs=20, batch_size=64, lr=1e-3, rng=0,
        callbacks=[until(lambda: reached(100 * (1 - model.score(digits.x_test, digits.y_test))))],
    )  # fmt: skip


def theirs(reached) -> None:
    import torch
    from torch import nn
    from torch.nn import functional
    from torch.utils.data import DataLoader

    torch.manual_seed(1)
    x_train, y_train, x_test, y_test = mnist()
    train = DataLoader(torch_digits(x_train, y_train, normalise=True), batch_size=64, shuffle=True)
    test = DataLoader(torch_digits(x_test, y_test, normalise=True), batch_size=1000)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10), nn.LogSoftmax(1),
    )  # fmt: skip
    optimizer = torch.optim.Adadelta(net.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    while True:
        net.train()
        for x, y in train:
            optimizer.zero_grad()
            functional.nll_loss(net(x), y).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            right = sum((net(x).argmax(1) == y).sum().item() for x, y in test)
        if reached(100 * (1 - right / len(x_test))):
            return
        schedule.step()
