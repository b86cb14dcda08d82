"""What a model still finds, and how well it reads, in long contexts (Llama 3, sections 3.4.2 and 5.2.6)."""
