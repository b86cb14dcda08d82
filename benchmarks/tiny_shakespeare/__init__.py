"""Parts of the benchmark `time_to_loss`: the text, Herd's recipe with its optimizer, and the peer.

In: the compressed text. Out: validation losses over wall time. Never: shared with the package.
"""
