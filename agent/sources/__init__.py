"""Where posts and comments come from: one protocol, and a file of the same shape for each source."""
