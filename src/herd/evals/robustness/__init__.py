"""How far a score of multiple choice hangs on what should not matter (Llama 3, section 5.1.2)."""
