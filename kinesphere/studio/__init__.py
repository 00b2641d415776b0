"""What one does with a generator when not playing it: each file one noun, each usable alone."""
