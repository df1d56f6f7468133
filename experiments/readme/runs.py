"""The runs of the modes in the plane, behind the first table of the results."""

from sesamo_jax.run.entry import Entry

SEEDS = 10
RUNS = {
    "gmm": Entry("gmm", {}, SEEDS),
    "gmm_broken": Entry("gmm_broken", {}, SEEDS),
    "gmm_broken_learned": Entry("gmm_broken", {"modulation": "learned"}, SEEDS),
    "hubbard": Entry("hubbard", {}, SEEDS),
    "hubbard_canonicalization": Entry("hubbard", {"method": "canonicalization"}, SEEDS),
    "hubbard_realnvp": Entry("hubbard", {"method": "flow"}, SEEDS),
    "hubbard_paper": Entry("hubbard", {}, 5, preset="paper"),
}
