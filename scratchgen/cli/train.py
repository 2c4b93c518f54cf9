"""`scratchgen train`: train a model on digits and keep the run in a file."""

from __future__ import annotations

import argparse

import numpy as np

from scratchgen.data import load_digits
from scratchgen.metrics import squared_error_per_example
from scratchgen.models.autoencoder import Autoencoder
from scratchgen.training.runs import expect_place, run_saved


def train(args: argparse.Namespace) -> int:
    """The command `scratchgen train autoencoder`: train on digits, save the run, say how good it is."""
    config = {"model": args.model, "form": args.form, "code": args.code, "seed": args.seed, "lr": args.lr}
    expect_place(args.out, resume=args.resume, config=config)
    digits = load_digits()
    print(digits.source)
    rng = np.random.default_rng(args.seed)
    if args.form == "dense":
        model = Autoencoder.dense((784, 400, 150, args.code), rng=rng)
    else:
        model = Autoencoder.convolutional(args.code, rng=rng)
    trainer = model.trainer(digits.x_train, epochs=args.epochs, rng=rng, lr=args.lr)
    run_saved(trainer, args.out, resume=args.resume, config=config)
    error = squared_error_per_example(model.reconstruct(digits.x_test), digits.x_test).mean()
    print(f"squared error per test digit: {error:.2f}; weights and run are in {args.out}")
    return 0
