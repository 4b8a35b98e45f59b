"""Where volumes are stored: one protocol, the drivers that speak it, and which of them this installation has."""
