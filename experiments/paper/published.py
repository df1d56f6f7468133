"""What the paper publishes, by target and row: mean(std) of ten models."""

# Effective sample sizes: the preprint of 2025 ; the version of 2026.
ESS = {
    "gmm": {
        "realnvp": "0.75(26) ; -",
        "canonicalization": "0.992(4) ; 0.91(8)",
        "sesamo": "0.999(1) ; -",
        "reinforce": "- ; 0.9986(2)",
        "vmonf": "- ; 0.61(1)",
        "fab": "- ; 0.78(3)",
    },
    "gmm_broken": {
        "canonicalization": "- ; 0.747(2)",
        "reinforce": "- ; 0.9947(3)",
        "vmonf": "- ; 0.83(11)",
        "fab": "- ; 0.81(1)",
    },
    "hubbard": {
        "realnvp": "0.88(15) ; -",
        "canonicalization": "0.85(1) ; 0.839(5)",
        "sesamo": "0.999(2) ; -",
        "reinforce": "- ; 0.996(1)",
        "vmonf": "- ; 0.37(12)",
        "fab": "- ; 0.946(9)",
    },
    "phi4_complex": {
        "realnvp": "0.16(8) ; -",
        "sesamo": "0.951(3) ; -",
        "reinforce": "- ; 0.9472(8)",
        "vmonf": "- ; 0.22(2)",
        "fab": "- ; 0.26(3)",
    },
    "phi4_complex_broken": {
        "realnvp": "0.22(4) ; -",
        "sesamo": "0.948(4) ; -",
        "reinforce": "- ; 0.941(2)",
        "vmonf": "- ; 0.23(1)",
        "fab": "- ; 0.28(5)",
    },
}
# Reverse KL divergences, which only the version of 2026 has.
KL = {
    "gmm": {
        "canonicalization": "0.013(2)",
        "reinforce": "0.0008(1)",
        "vmonf": "0.79(11)",
        "fab": "1.19(37)",
    },
    "gmm_broken": {
        "canonicalization": "0.189(3)",
        "reinforce": "0.0024(2)",
        "vmonf": "1.02(14)",
        "fab": "0.84(26)",
    },
    "hubbard": {
        "canonicalization": "0.112(7)",
        "reinforce": "0.0013(8)",
        "vmonf": "0.74(9)",
        "fab": "0.28(8)",
    },
}
