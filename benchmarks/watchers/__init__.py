"""The watchers that bench_watchdog.py compares: one module each, and what they share."""
