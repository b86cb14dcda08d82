"""Tools that a language model's text may use, each behind a lock.

In: text that nobody has vetted, such as programs. Out: what came of it. Never: trust in that text, or a tool
that works where its lock does not.
"""

from herd.tools.sandbox import ProgramOutcome, Sandbox, SandboxLimits

__all__ = ["ProgramOutcome", "Sandbox", "SandboxLimits"]
