"""The command line: one thin file per verb.

In: words typed in a shell. Out: data on stdout, progress on stderr, exit code 2 for a mistake.
Never: logic.
"""
