"""Watching and restarting: sample, policy, control, alerts, systemd. Imports nothing of what it watches."""
