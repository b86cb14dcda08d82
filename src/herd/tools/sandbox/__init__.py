"""A sandbox for programs that nobody has vetted.

In: Python source, limits. Out: how each program ended. Never: a program run where isolation is not proved.
"""

from herd.tools.sandbox.limits import SandboxLimits
from herd.tools.sandbox.outcome import ProgramOutcome
from herd.tools.sandbox.sandbox import Sandbox

__all__ = ["ProgramOutcome", "Sandbox", "SandboxLimits"]
