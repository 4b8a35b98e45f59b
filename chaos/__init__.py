"""`make chaos`: real processes, a client load, faults that overlap, and a verdict on what came of it."""
