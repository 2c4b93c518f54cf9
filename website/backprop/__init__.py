"""The lines of the live page "backprop", taken from the readable functions of the library."""
