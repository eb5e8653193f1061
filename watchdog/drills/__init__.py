"""The drills: faults that are made on purpose in a running copy, ended whatever happens, and watched to their end."""
