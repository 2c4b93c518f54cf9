"""Constants that a readable function and its compiled twin share."""

import math

GELU_A = math.sqrt(2 / math.pi)     # GELU's tanh form: u = A·(x + B·x³)
GELU_B = 0.044715
