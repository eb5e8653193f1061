"""Where scored items live: one protocol, and a file of the same shape for each database."""
