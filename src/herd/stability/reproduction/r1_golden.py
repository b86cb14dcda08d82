"""The specification's table 8.1: one seed of the gain-step task."""

from herd.stability.reproduction.r1_gain_step import Arm

# arm: RMS(u) cold, RMS(u) at k = 0, cos(g, u_) at k = 1, largest loss, spike score; None is not given
ROWS: tuple[tuple[Arm, tuple[str | None, str, str, str, str]], ...] = (
    (Arm(beta2=0.95, epsilon=1e-6), (".005", ".45", "-.14", ".49", "3.6")),
    (Arm(beta2=0.999, epsilon=1e-6), (".005", "3.14", "-.57", ".72", "11.4")),
    (
        Arm(beta2=0.999, epsilon=1e-6, cold_guard=True),
        (".005", ".10", "-.04", ".49", "3.4"),
    ),
    (
        Arm(beta2=0.999, epsilon=1e-6, update_clip=0.46),
        (".005", "3.14", "-.14", ".52", "4.3"),
    ),
    (
        Arm(beta2=0.999, epsilon=1e-6, learning_rate=0.025),
        (None, "3.14", "-.34", ".55", "5.7"),
    ),
    (
        Arm(beta2=0.999, epsilon=1e-6, learning_rate=0.2),
        (None, "3.14", "-.71", "2.07", "58"),
    ),
    (Arm(beta2=0.95, epsilon=1e-8), (".17", ".45", ".38", "1.13", "25")),
    (Arm(beta2=0.95, epsilon=0.0), (".24", ".45", ".45", "1.82", "50")),
    (Arm(beta2=0.999, epsilon=1e-8), (".28", "3.16", ".39", "2.28", "66")),
    (Arm(beta2=0.999, epsilon=0.0), (".59", "3.16", ".46", "7.35", "242")),
)
STATISTICS = (
    "RMS(u) cold",
    "RMS(u) at k = 0",
    "cos(g, u_) at k = 1",
    "largest loss, nats",
    "spike score",
)
