"""What can be done about an instability: off by default, logged, reversible, composable.

In: an optimizer, and what was asked for. Out: stages of the optimizer's step, a policy that
switches them, pure rules for the training loop.
Never: an action that nobody asked for.
"""
