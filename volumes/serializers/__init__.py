"""What requests may say and what answers look like, gated by the microversion asked for."""
