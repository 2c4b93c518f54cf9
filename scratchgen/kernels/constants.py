"""Constants that the readable functions and their twins share."""

import math

GELU_A = math.sqrt(2 / math.pi)
GELU_B = 0.044715       # fitted by Hendrycks & Gimpel 2016
