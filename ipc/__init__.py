"""What two processes must agree on: messages, framing, the channel, a process's life, settings, logs."""
