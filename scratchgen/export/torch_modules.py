"""Modules that PyTorch lacks, as text for the scripts that `torch_script` writes.

Each entry is the source of one class. A script contains the classes that its network uses.
"""

MODULES = {
    "ToImages": '''
class ToImages(nn.Module):
    """Rows (N, H*W*C) become images (N, C, H, W)."""

    def __init__(self, height, width, channels):
        super().__init__()
        self.shape = height, width, channels

    def forward(self, x):
        return x.reshape(len(x), *self.shape).permute(0, 3, 1, 2)
''',
    "FlattenImages": '''
class FlattenImages(nn.Module):
    """Images (N, C, H, W) become rows (N, H*W*C); nn.Flatten would give the order (C, H, W)."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)
''',
    "ScaledSigmoid": '''
class ScaledSigmoid(nn.Module):
    """low + (high - low) * sigmoid(x)"""

    def __init__(self, low, high):
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x):
        return self.low + (self.high - self.low) * torch.sigmoid(x)
''',
    "MaskedLinear": '''
class MaskedLinear(nn.Linear):
    """A Linear in which a mask, a buffer (out, in) of bools, removes connections."""

    def __init__(self, inputs, outputs, bias=True):
        super().__init__(inputs, outputs, bias=bias)
        self.register_buffer("mask", torch.ones(outputs, inputs, dtype=torch.bool))

    def forward(self, x):
        return nn.functional.linear(x, self.weight * self.mask, self.bias)
''',
    "MaskedConv2d": '''
class MaskedConv2d(nn.Conv2d):
    """A Conv2d in which a mask, a buffer (KH, KW) of bools, removes cells of the kernel."""

    def __init__(self, *args, **settings):
        super().__init__(*args, **settings)
        self.register_buffer("mask", torch.ones(self.kernel_size, dtype=torch.bool))

    def forward(self, x):
        return self._conv_forward(x, self.weight * self.mask, self.bias)
''',
    "SpectralNorm": '''
class SpectralNorm(nn.Module):
    """A layer whose weight is divided by its largest singular value; u and v stay as they are."""

    def __init__(self, layer, inputs, outputs):
        super().__init__()
        self.layer = layer
        self.register_buffer("u", torch.zeros(inputs))
        self.register_buffer("v", torch.zeros(outputs))

    def forward(self, x):
        weight = self.layer.weight
        if weight.ndim == 4:
            weight = weight.permute(0, 2, 3, 1)     # u has the order (row, column, channel)
        return self.layer(x / (self.v @ weight.flatten(1) @ self.u))
''',
    "Scaling": '''
class Scaling(nn.Module):
    """x * exp(s), with s learnt, of the shape of one example."""

    def __init__(self, *shape):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return x * self.log_scale.exp()

    def inverse(self, z):
        return z * (-self.log_scale).exp()
''',
    "Squeeze": '''
class Squeeze(nn.Module):
    """Every 2x2 block of pixels becomes one pixel with 4*C channels, in the order (row, column, channel)."""

    def forward(self, x):
        n, c, h, w = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4)
        return blocks.reshape(n, 4 * c, h // 2, w // 2)

    def inverse(self, z):
        n, c, h, w = z.shape
        return z.reshape(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w)
''',
    "Halves": '''
class Halves:
    """A mask over the features or channels: every second one, or a half, is kept.

    interleaved : whether the kept ones are every second one
    second : whether the other ones are kept
    """

    def __init__(self, interleaved, second):
        self.interleaved, self.second = interleaved, second

    def split(self, x):
        if self.interleaved:
            parts = x[:, 0::2], x[:, 1::2]
        else:
            half = x.shape[1] - x.shape[1] // 2
            parts = x[:, :half], x[:, half:]
        return parts[::-1] if self.second else parts

    def merge(self, kept, moved):
        first, second = (moved, kept) if self.second else (kept, moved)
        joined = torch.cat([first, second], 1)
        if not self.interleaved:
            return joined
        x = torch.empty_like(joined)
        x[:, 0::2], x[:, 1::2] = first, second
        return x
''',
    "Checkerboard": '''
class Checkerboard:
    """A mask over the pixels; both parts are full images, with zeros at the other pixels.

    second : whether the pixels with an odd sum of row and column are kept
    """

    def __init__(self, second):
        self.second = second

    def is_moved(self, x):
        rows, columns = (torch.arange(size, device=x.device) for size in x.shape[2:])
        return (rows[:, None] + columns) % 2 != self.second

    def split(self, x):
        moved = self.is_moved(x)
        return torch.where(moved, 0.0, x), torch.where(moved, x, 0.0)

    def merge(self, kept, moved):
        return torch.where(self.is_moved(kept), moved, kept)
''',
    "AdditiveCoupling": '''
class AdditiveCoupling(nn.Module):
    """z1 = x1, z2 = x2 + m(x1)"""

    def __init__(self, conditioner, mask):
        super().__init__()
        self.conditioner, self.mask = conditioner, mask

    def forward(self, x):
        kept, moved = self.mask.split(x)
        return self.mask.merge(kept, moved + self.conditioner(kept))

    def inverse(self, z):
        kept, moved = self.mask.split(z)
        return self.mask.merge(kept, moved - self.conditioner(kept))
''',
    "AffineCoupling": '''
class AffineCoupling(nn.Module):
    """z1 = x1, z2 = x2 * exp(s) + t, with (t, r) = m(x1) and s = bound * tanh(r / bound)"""

    def __init__(self, conditioner, mask, bound):
        super().__init__()
        self.conditioner, self.mask, self.bound = conditioner, mask, bound

    def shift_and_log_scale(self, kept):
        shift, raw = self.conditioner(kept).chunk(2, 1)
        return shift, self.bound * torch.tanh(raw / self.bound)

    def forward(self, x):
        kept, moved = self.mask.split(x)
        shift, log_scale = self.shift_and_log_scale(kept)
        return self.mask.merge(kept, moved * log_scale.exp() + shift)

    def inverse(self, z):
        kept, moved = self.mask.split(z)
        shift, log_scale = self.shift_and_log_scale(kept)
        return self.mask.merge(kept, (moved - shift) * (-log_scale).exp())
''',
    "Inverse": '''
class Inverse(nn.Module):
    """The way back through a bijection."""

    def __init__(self, bijection):
        super().__init__()
        self.bijection = bijection

    def forward(self, z):
        return self.bijection.inverse(z)
''',
}
