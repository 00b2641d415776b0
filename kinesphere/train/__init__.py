"""Training: the pictures a model learns from, the loop that teaches it, and what the run says afterwards."""
