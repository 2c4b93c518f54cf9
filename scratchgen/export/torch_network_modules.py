"""Networks with several inputs, attention and heads of models, as text for the scripts of `torch_script`.

Each entry is the source of one class, as in torch_modules.py.
"""

NETWORKS = {
    "TimeEmbedding": '''
class TimeEmbedding(nn.Module):
    """Sines and cosines of times (N,), with frequencies from 1000 to 0.1 radians: (N, features)."""

    def __init__(self, features):
        super().__init__()
        half = features // 2
        self.frequencies = [10 ** (3 - 4 * k / (half - 1)) for k in range(half)]

    def forward(self, t):
        angles = t[:, None] * torch.tensor(self.frequencies, dtype=t.dtype, device=t.device)
        return torch.cat([angles.sin(), angles.cos()], 1)
''',
    "Condition": '''
class Condition(nn.Module):
    """The embedding of times (N,) and, if there are classes, of labels (N,); `classes` is "no class"."""

    def __init__(self, embedding, classes):
        super().__init__()
        self.time = nn.Sequential(
            TimeEmbedding(64), nn.Linear(64, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
        )
        self.label = nn.Embedding(classes + 1, embedding) if classes else None

    def forward(self, t, y=None):
        e = self.time(t)
        return nn.functional.silu(e if y is None else e + self.label(y))
''',
    "ResidualBlock": '''
class ResidualBlock(nn.Module):
    """skip(x) + second(first(x) + shift(e)), where e (N, E) is the embedding of the time."""

    def __init__(self, first, second, shift, skip=None):
        super().__init__()
        self.first, self.second, self.shift, self.skip = first, second, shift, skip

    def forward(self, x, e):
        a, shift = self.first(x), self.shift(e)
        h = a + shift.reshape(*shift.shape, *[1] * (a.ndim - 2))
        return (x if self.skip is None else self.skip(x)) + self.second(h)
''',
    "ResidualNet": '''
class ResidualNet(nn.Module):
    """A network of rows x (N, features), times t (N,) and, if there are classes, labels y (N,)."""

    def __init__(self, features, hidden, blocks, classes, embedding):
        super().__init__()
        self.condition = Condition(embedding, classes)
        self.first = nn.Linear(features, hidden)
        self.blocks = nn.ModuleList(
            ResidualBlock(
                nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, hidden)),
                nn.Sequential(nn.SiLU(), nn.Linear(hidden, hidden)),
                nn.Linear(embedding, hidden),
            )
            for _ in range(blocks)
        )
        self.last = nn.Sequential(nn.LayerNorm(hidden), nn.Linear(hidden, features))

    def forward(self, x, t, y=None):
        e, h = self.condition(t, y), self.first(x)
        for block in self.blocks:
            h = block(h, e)
        return self.last(h)
''',
    "UNet": '''
class UNet(nn.Module):
    """A U-Net of x, times t (N,) and, if there are classes, labels y (N,).

    x and the output are images (N, H, W, C) or rows (N, H*W*C), as in scratchgen; inside, (N, C, H, W).
    """

    def __init__(self, shape, channels, squeeze, attention, dropout, groups, classes, embedding):
        super().__init__()

        def block(c_in, c_out):
            return ResidualBlock(
                nn.Sequential(nn.GroupNorm(groups, c_in), nn.SiLU(), nn.Conv2d(c_in, c_out, 3, padding=1)),
                nn.Sequential(
                    nn.GroupNorm(groups, c_out), nn.SiLU(), nn.Dropout(dropout),
                    nn.Conv2d(c_out, c_out, 3, padding=1),
                ),
                nn.Linear(embedding, c_out),
                None if c_in == c_out else nn.Conv2d(c_in, c_out, 1),
            )

        self.shape, self.squeeze = shape, Squeeze() if squeeze else None
        depth = shape[2] * (4 if squeeze else 1)
        *upper, lowest = channels
        inputs = [channels[0], *channels[:-1]]
        self.condition = Condition(embedding, classes)
        self.first = nn.Conv2d(depth, channels[0], 3, padding=1)
        self.down = nn.ModuleList(block(c_in, c) for c_in, c in zip(inputs, upper))
        self.middle = nn.ModuleList([block(inputs[-1], lowest), block(lowest, lowest)])
        self.attention = PixelAttention(lowest, groups, 1) if attention else None
        self.up = nn.ModuleList(block(below + c, c) for c, below in zip(upper, channels[1:]))
        self.last = nn.Sequential(
            nn.GroupNorm(groups, channels[0]), nn.SiLU(), nn.Conv2d(channels[0], depth, 3, padding=1)
        )

    def forward(self, x, t, y=None):
        images = x.reshape(len(x), *self.shape).permute(0, 3, 1, 2)
        h = images if self.squeeze is None else self.squeeze(images)
        e, h, kept = self.condition(t, y), self.first(h), []
        for block in self.down:
            kept.append(block(h, e))
            h = nn.functional.avg_pool2d(kept[-1], 2)
        h = self.middle[0](h, e)
        h = self.middle[1](h if self.attention is None else self.attention(h), e)
        for block, s in zip(reversed(self.up), reversed(kept)):
            u = nn.functional.interpolate(h, scale_factor=2)
            h = block(torch.cat([u, s], 1), e)
        out = self.last(h)
        out = out if self.squeeze is None else self.squeeze.inverse(out)
        return out.permute(0, 2, 3, 1).reshape(x.shape)
''',
    "SelfAttention": '''
class SelfAttention(nn.Module):
    """Self-attention of x (N, T, C); one linear layer gives queries, keys and values of all heads."""

    def __init__(self, features, heads, causal=False, rotary=False):
        super().__init__()
        self.heads, self.causal, self.rotary = heads, causal, rotary
        self.qkv, self.proj = nn.Linear(features, 3 * features), nn.Linear(features, features)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        if self.rotary:
            q, k = self.rotated(q), self.rotated(k)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.proj(y.transpose(1, 2).reshape(n, t, c))

    def rotated(self, a):
        """a (N, H, T, D) rotated by the positions, in pairs of the entries i and i + D/2."""
        half = a.shape[-1] // 2
        places = torch.arange(a.shape[-2], dtype=torch.float64, device=a.device)
        rates = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device=a.device) / half)
        angle = places[:, None] * rates
        cos, sin = angle.cos().to(a.dtype), angle.sin().to(a.dtype)
        a1, a2 = a.chunk(2, -1)
        return torch.cat([a1 * cos - a2 * sin, a1 * sin + a2 * cos], -1)
''',
    "PixelAttention": '''
class PixelAttention(nn.Module):
    """x + attention(norm(x)) between the pixels of images (N, C, H, W)."""

    def __init__(self, channels, groups, heads):
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.attention = SelfAttention(channels, heads)

    def forward(self, x):
        a = self.attention(self.norm(x).flatten(2).transpose(1, 2))
        return x + a.transpose(1, 2).reshape(x.shape)
''',
    "TransformerBlock": '''
class TransformerBlock(nn.Module):
    """Causal attention and a feed-forward network, each applied to the normalised input and added to it."""

    def __init__(self, features, heads, rotary, dropout):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)
        self.attention = SelfAttention(features, heads, causal=True, rotary=rotary)
        self.mlp = nn.Sequential(
            nn.Linear(features, 4 * features), nn.GELU(approximate="tanh"), nn.Linear(4 * features, features)
        )
        self.drop1, self.drop2 = nn.Dropout(dropout), nn.Dropout(dropout)

    def forward(self, x):
        h = x + self.drop1(self.attention(self.norm1(x)))
        return h + self.drop2(self.mlp(self.norm2(h)))
''',
    "CharacterLogits": '''
class CharacterLogits(nn.Module):
    """The logits of every character of windows (N, T), from those before it: (N, T, V).

    positions : the length of the window, or None without learnt positions
    """

    def __init__(self, characters, features, positions, blocks):
        super().__init__()
        self.characters = nn.Embedding(characters + 1, features)      # the last row is the start
        self.positions = nn.Embedding(positions, features) if positions else None
        self.blocks = blocks
        self.norm, self.head = nn.LayerNorm(features), nn.Linear(features, characters)

    def forward(self, x):
        start = torch.full_like(x[:, :1], self.characters.num_embeddings - 1)
        h = self.characters(torch.cat([start, x[:, :-1]], 1))
        if self.positions is not None:
            h = h + self.positions.weight[: x.shape[1]]
        return self.head(self.norm(self.blocks(h)))
''',
    **{
        name: f'''
class {name}(nn.{name}):
    """nn.{name} of sequences (N, T, features), without its final state."""

    def __init__(self, features, hidden):
        super().__init__(features, hidden, batch_first=True)

    def forward(self, x):
        return super().forward(x)[0]
'''
        for name in ("RNN", "LSTM", "GRU")
    },
    "PixelStacks": '''
class PixelStacks(nn.Module):
    """Masked convolutions of images: `vertical` for the rows above, `horizontal` for the pixels to the left.

    kernels : the sizes of the convolutions, from the first
    """

    def __init__(self, channels, kernels):
        super().__init__()
        inputs = [1] + [channels] * (len(kernels) - 1)
        sizes = list(zip(inputs, kernels))
        self.vertical = nn.ModuleList(MaskedConv2d(c, channels, (k, k), padding=k // 2) for c, k in sizes)
        self.horizontal = nn.ModuleList(
            MaskedConv2d(c, channels, (1, k), padding=(0, k // 2)) for c, k in sizes
        )
        self.link = nn.ModuleList(MaskedConv2d(channels, channels, (1, 1)) for _ in kernels)
        self.out = MaskedConv2d(channels, 1, (1, 1))

    def forward(self, x):
        v = self.vertical[0](x)
        h = self.horizontal[0](x) + self.link[0](v.relu())
        for below, left, link in zip(self.vertical[1:], self.horizontal[1:], self.link[1:]):
            v = v + below(v.relu())
            h = h + left(h.relu()) + link(v.relu())
        return self.out(h.relu())
''',
    "LabelMaps": '''
class LabelMaps(nn.Module):
    """Rows [pixels, one-hot label] become images with one further channel for each class."""

    def __init__(self, shape, classes):
        super().__init__()
        self.shape, self.classes = shape, classes

    def forward(self, x):
        height, width, channels = self.shape
        pixels, label = x.split([height * width * channels, self.classes], 1)
        images = pixels.reshape(len(x), *self.shape).permute(0, 3, 1, 2)
        maps = label[:, :, None, None].expand(-1, -1, height, width)
        return torch.cat([images, maps], 1)
''',
    "Projection": '''
class Projection(nn.Module):
    """head(h) + <e, h> for rows [x, one-hot label], with h = body(x) and e = embedding(label)."""

    def __init__(self, body, head, embedding, features):
        super().__init__()
        self.body, self.head, self.embedding, self.features = body, head, embedding, features

    def forward(self, x):
        h, e = self.body(x[:, : self.features]), self.embedding(x[:, self.features :])
        return self.head(h) + (e * h).sum(1, keepdim=True)
''',
    "Branches": '''
class Branches(nn.Module):
    """Several networks of the same input; their outputs are next to each other."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)
''',
    "WithLabel": '''
class WithLabel(nn.Sequential):
    """The layers, applied to [x, onehot(y)], for x (N, D) and labels y (N,)."""

    def __init__(self, classes, *layers):
        super().__init__(*layers)
        self.classes = classes

    def forward(self, x, y):
        onehot = nn.functional.one_hot(y, self.classes).to(x.dtype)
        return super().forward(torch.cat([x, onehot], 1))
''',
    "MaskedWithLabel": '''
class MaskedWithLabel(nn.Module):
    """Masked linear layers of x (N, D) with ReLUs between them; labels y (N,) add a row to each layer."""

    def __init__(self, sizes, classes):
        super().__init__()
        self.layers = nn.ModuleList(MaskedLinear(a, b) for a, b in zip(sizes[:-1], sizes[1:]))
        self.labels = nn.ModuleList(nn.Embedding(classes, width) for width in sizes[1:])

    def forward(self, x, y):
        for i, (layer, label) in enumerate(zip(self.layers, self.labels)):
            x = layer(x.relu() if i else x) + label(y)
        return x
''',
    "Shift": '''
class Shift(nn.Module):
    """x + shift, with one number for each feature."""

    def __init__(self, features):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(features))

    def forward(self, x):
        return x + self.shift
''',
    "GaussianScores": '''
class GaussianScores(nn.Module):
    """offset - |(x - mean) @ whiten|^2 / 2 for each class: log p(x, y) of a Normal distribution."""

    def __init__(self, classes, features, directions):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(classes, features))
        self.whiten = nn.Parameter(torch.zeros(classes, features, directions))
        self.offset = nn.Parameter(torch.zeros(classes))

    def forward(self, x):
        white = (x - self.mean[:, None]) @ self.whiten
        return self.offset - 0.5 * (white**2).sum(2).T
''',
}
