"""Whether a written answer is right: mathematics, short answers, instructions, programs."""
