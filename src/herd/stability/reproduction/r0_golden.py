"""The golden values of the specification's sections 3.3, 3.4 and 8.0, as printed there.

Each was measured once, with one seed, and rounded to the digits shown; so a mean over seeds may
differ from it by the rounding and by what one seed scatters.
"""

# (beta2, rho): RMS(u), BC, valley ratio, share above 0.45, share above 0.7; beta1 0.9, 300 steps
CORRELATED: dict[tuple[float, float], tuple[str, str, str, str, str]] = {
    (0.95, 0.0): (".226", ".37", ".98", ".04", ".001"),
    (0.95, 0.5): (".354", ".42", ".98", ".23", ".03"),
    (0.95, 0.8): (".513", ".51", ".95", ".47", ".20"),
    (0.95, 0.9): (".62", ".57", ".76", ".60", ".35"),
    (0.95, 0.95): (".70", ".64", ".44", ".69", ".48"),
    (0.95, 0.99): (".84", ".77", ".13", ".84", ".70"),
    (0.999, 0.0): (".229", ".33", ".99", ".05", ".003"),
    (0.999, 0.5): (".373", ".34", ".97", ".23", ".06"),
    (0.999, 0.9): (".70", ".35", ".90", ".53", ".33"),
    (0.999, 0.99): (".93", ".38", ".91", ".64", ".47"),
}

# rho: cos(g_t, m_{t-1}) measured in the 400-step runs
COSINES = {0.0: "0.000", 0.5: ".245", 0.9: ".667", 0.99: ".95"}
COSINE_AT_ZERO_WITHIN = 0.013
OWN_COSINE = ("0.431", "0.433")  # cos(g_t, u_t) at rho 0: lowest and highest of the three beta2

# signal-to-noise ratio: RMS(u), BC, valley ratio; beta2 0.95
BIASED = {
    0.1: (".245", ".38", ".99"),
    0.5: (".479", ".69", ".17"),
    1.0: (".715", ".91", "0.0"),
    3.0: (".950", ".99", "0.0"),
}

# rho after the switch: (RMS(u), BC) at steps k = 0, 1, 4, 9, 19, 29
AWAKENING_STEPS = (0, 1, 4, 9, 19, 29)
AWAKENING = {
    0.0: (
        (".401", ".94"),
        (".409", ".66"),
        (".379", ".47"),
        (".331", ".41"),
        (".276", ".38"),
        (".251", ".37"),
    ),
    0.9: (
        (".401", ".94"),
        (".521", ".88"),
        (".679", ".80"),
        (".747", ".74"),
        (".724", ".66"),
        (".684", ".62"),
    ),
    1.0: (
        (".402", ".95"),
        (".560", ".96"),
        (".810", ".97"),
        (".980", ".98"),
        ("1.054", ".98"),
        ("1.041", ".98"),
    ),
}

PARTIAL = (".141", ".10", ".33")  # RMS(u), BC, valley ratio of a partial awakening
FROZEN_RMS = "0.0023"  # s = sigma/epsilon = 0.01

# (beta1, beta2): |u| after 1, 2, 5, 10, 20 equal gradients, and the hard bound
FRESH_COUNTS = (1, 2, 5, 10, 20)
FRESH: dict[tuple[float, float], tuple[str, ...]] = {
    (0.9, 0.95): ("0.447", ".608", ".861", "1.03", "1.10", "1.165"),
    (0.9, 0.98): ("0.707", ".955", "1.32", "1.52", "1.52", "1.70"),
    (0.9, 0.999): ("3.16", "4.25", "5.80", "6.53", "6.24", "7.27"),
}


def rounding(printed: str) -> float:
    """Return half a unit of the last digit printed."""
    return 0.5 * 10.0 ** -len(printed.partition(".")[2])
