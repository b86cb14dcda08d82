"""The theory of Adam's instability, shown on small experiments that anybody can run again.

In: which experiments, how many seeds, an output directory. Out: tables with confidence intervals,
figures, checks of what the theory predicts, conclusions worded by what was measured.
Never: a verdict that was fixed before the run.
"""

from herd.stability.reproduction.experiments import EXPERIMENTS, reproduce

__all__ = ["EXPERIMENTS", "reproduce"]
