"""How the embedded model is made. Not part of the wheel: nothing that runs in service imports this."""
