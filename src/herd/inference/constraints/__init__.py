"""Structured output: answers that follow a JSON schema, a regular expression or a grammar.

In: a `Constraint` of a user's, a tokenizer. Out: masks of the tokens that may come next.
Never: trust; a constraint is compiled in a child process first, within limits of time and memory.
"""

from herd.inference.constraints.compiler import ConstraintCompiler
from herd.inference.constraints.constraint import Constraint
from herd.inference.constraints.limits import ConstraintLimits

__all__ = ["Constraint", "ConstraintCompiler", "ConstraintLimits"]
