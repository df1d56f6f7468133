"""Named tolerances of the tests."""

# Rounding of a few hundred float64, or float32, operations on numbers of order one.
F64 = 1e-9
F32 = 1e-4
# Reference values quoted with five decimals.
QUOTED = 6e-6
# Statistical tests allow this many standard errors: 6e-7 per comparison.
SIGMAS = 5.0
