"""What to look at and what to try first, by mechanism: the diagnosis in a table.

Out: `ADVICE`, one row a mechanism. The order of remedies is ours; each has its source.
Source: Molybog et al. 2023 (arXiv 2304.09871) for cold layers and their awakening; Cohen et al. 2022
(2207.14484) for the edge of stability; Wortsman et al. 2023 (2309.14322) for logits; Bai et al. 2025
(2506.04805) for a second moment that decays apart from the gradient; PaLM (2204.02311) for skipping
batches.
"""

from dataclasses import dataclass

from herd.stability.verdict import Mechanism


@dataclass(frozen=True, slots=True)
class Advice:
    """How a mechanism shows, and what to try first."""

    signs: str
    try_first: str


ADVICE: dict[Mechanism, Advice] = {
    Mechanism.COLD: Advice(
        "A high cold fraction, most often in the embedding and the first layers; a small update RMS.",
        "Choose epsilon by the gradient's RMS of that layer (the epsilon advisor measures it); a "
        "lower one chosen blindly can also bring spikes. Or switch the cold-coordinate guard on. "
        "Nothing has broken yet.",
    ),
    Mechanism.AWAKENING: Advice(
        "Cold for long, then the update RMS jumps in early layers, two humps, alignment near 0 or "
        "negative; gradient norm and loss come later.",
        "Switch the cold-coordinate guard or StableAdamW on; a smaller beta2 (0.95) makes the kick "
        "smaller. In a run that goes on: damp the learning rate of those layers on alarm.",
    ),
    Mechanism.LEFT_BEHIND: Advice(
        "The gradient is many times its usual size (StableAdamW's RMS above 2.3), so v is too small.",
        "Clip the update by StableAdamW's rule, or lower beta2; then look at what grew the gradient.",
    ),
    Mechanism.UNCORRELATED: Advice(
        "A large update while the alignment stays near 0 or below, without a cold past.",
        "Lower the learning rate; reset the moments with a short warm-up if it does not calm down.",
    ),
    Mechanism.GROWTH: Advice(
        "The update RMS grows, and the alignment stays positive.",
        "Wait: a clear gradient looks like this too. Act when the alignment falls.",
    ),
    Mechanism.OSCILLATION: Advice(
        "Preconditioned sharpness above its threshold (38/learning rate for beta1 0.9); alignment "
        "swings below 0, no layer is cold.",
        "Lower the learning rate or lengthen the warm-up.",
    ),
    Mechanism.ATTENTION_LOGITS: Advice(
        "The largest attention logit above 100, and growing.",
        "QK-clip, or normalise queries and keys.",
    ),
    Mechanism.OUTPUT_LOGITS: Advice("log Z of the output drifts away.", "z-loss."),
    Mechanism.BAD_BATCH: Advice(
        "Loss or gradient norm jumps at one step, and no update was out of order before it.",
        "Look at the batch (long repetitions), then at the device; skip the step or roll back and "
        "skip the batches.",
    ),
    Mechanism.NOT_FINITE: Advice(
        "A gradient, a moment or the loss is not a number.",
        "Roll back to a checkpoint before it; look at precision and loss scaling.",
    ),
}
HOW_TO_READ = (
    "In health, Adam's update is a bell around 0 with RMS sqrt((1 - beta1)/(1 + beta1)), 0.23 for "
    "beta1 0.9. Gradients that keep their sign, or a layer that was silent and wakes, push "
    "coordinates apart into two humps and the RMS up. A large RMS alone is no fault, and two humps "
    "alone are none: a clear gradient has both. The fault is a large update whose alignment, the "
    "cosine of the gradient with the update of the step before, is near 0 or negative. A diagnosis "
    "is a likelihood, not a proof."
)
