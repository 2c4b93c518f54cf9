"""The kernels in plain NumPy: the algorithm to read, and the standard the compiled ones are held to."""
