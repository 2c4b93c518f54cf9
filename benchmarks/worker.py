"""One contender in a process of its own: takes orders on stdin, answers on stdout.

    time N          make N steps, answer with the milliseconds of each
    gradients FILE  compute loss and gradients in float64 and save them
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from contenders import CONTENDERS
from models import batches


def main(name: str, batch: int) -> None:
    step, _ = CONTENDERS[name]("float32")
    data = batches(batch, "float32")
    for x in data:  # compile, allocate, warm up
        step(x)
    print("ready", flush=True)
    for line in sys.stdin:
        order, argument = line.split(maxsplit=1)
        if order == "time":
            times = []
            for i in range(int(argument)):
                start = time.perf_counter()
                step(data[i % len(data)])
                times.append((time.perf_counter() - start) * 1e3)
            print(json.dumps(times), flush=True)
        elif order == "gradients":
            loss, gradients = CONTENDERS[name]("float64")[1](batches(batch, "float64")[0])
            np.savez(argument.strip(), np.float64(loss), *gradients)
            print("saved", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
