"""The window that convolution and pooling move over an image: its size, stride and padding."""

from __future__ import annotations

import operator
from dataclasses import dataclass

Pair = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """The size, stride and padding of a kernel, each a pair (height, width)."""

    kernel: Pair
    stride: Pair
    padding: Pair

    def output_size(self, who: str, height: int, width: int) -> Pair:
        """The number of window positions: ⌊(H + 2·padding − kernel) / stride⌋ + 1, the same for W.

        Raises ValueError if the padded image is smaller than the kernel, or if it has no pixels. The message
        begins with `who`.
        """
        if height < 1 or width < 1:
            raise ValueError(f"{who} expected images of at least one pixel, got {height}x{width}")
        padded = (height + 2 * self.padding[0], width + 2 * self.padding[1])
        if padded[0] < self.kernel[0] or padded[1] < self.kernel[1]:
            raise ValueError(
                f"{who} expected images of at least {self.kernel[0]}x{self.kernel[1]} after padding, "
                f"got {height}x{width}, which is {padded[0]}x{padded[1]} after padding"
            )
        return (
            (padded[0] - self.kernel[0]) // self.stride[0] + 1,
            (padded[1] - self.kernel[1]) // self.stride[1] + 1,
        )


def make_window(who: str, kernel_size: int | Pair, stride: int | Pair, padding: int | Pair) -> Window:
    """Check the three settings and return a Window. ValueError or TypeError names the wrong setting."""
    return Window(
        pair(who, "kernel_size", kernel_size, least=1),
        pair(who, "stride", stride, least=1),
        pair(who, "padding", padding, least=0),
    )


def pair(who: str, name: str, value: int | Pair, least: int) -> Pair:
    """Return an int or a pair of ints as a pair (height, width), each at least `least`."""
    values = value if isinstance(value, tuple | list) else (value, value)
    try:
        if any(isinstance(v, bool) for v in values):
            raise TypeError
        ints = tuple(operator.index(v) for v in values)
    except TypeError:
        raise TypeError(f"{who} expected {name} to be an int or a pair of ints, got {value!r}") from None
    if len(ints) != 2 or min(ints) < least:
        raise ValueError(f"{who} expected {name} to be an int or a pair of ints >= {least}, got {value!r}")
    return ints[0], ints[1]
