"""Constants that a readable function and its compiled twin share."""

import math

GELU_A = math.sqrt(2 / math.pi)     # GELU's tanh form: u = A·(x + B·x³)
GELU_B = 0.044715
GELU_LARGEST_SLOPE = 1e30           # of u; an infinite one would be NaN where it is multiplied by 0
