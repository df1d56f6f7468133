"""The runs whose samplers come with the package, one seed each."""

from sesamo_jax.run.entry import Entry

RUNS = {name: Entry(name, {}) for name in ("gmm_broken", "hubbard", "phi4_complex")}
