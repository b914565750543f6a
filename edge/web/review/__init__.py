"""Review: a queue of parts that deserve eyes, one key a label; and what the labels say."""
