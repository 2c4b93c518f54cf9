"""A wider MADE with a random order of pixels: the likelihood of the test set in nats.

Published: Germain et al. 2015, 88.04 for one hidden layer of 8,000 units and 32 masks. It was trained on a
fixed binarisation until it stopped improving. Here, the pixels are binarised again in every epoch, the digits
are moved a little, and there is one ordering.

A random order was chosen because a network of 500 units, trained on 50,000 digits for 10 epochs, had 95.51
nats on the other 10,000 training digits with it, and 100.23 in the natural order. No setting was chosen on
the test set.
"""

from __future__ import annotations

from scratchgen.data import Jitter
from scratchgen.studies.reproduce.made import Net, made_recipe

JITTER = Jitter(turn=0.06, stretch=0.035, slant=0.06, shift=0.3, keep=0.5)  # the same as for the VAE

RECIPE = made_recipe(
    Net(hidden=2000, batch=256, peak=2e-3, order="random", jitter=JITTER, moved=0.8),
    name="made_wide",
    title="−log p(x) of MADE with 2,000 hidden units",
    paper=88.04,
    source="Germain et al. 2015",
    epochs=150,
)
