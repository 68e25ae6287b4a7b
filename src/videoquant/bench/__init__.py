"""How fast engines run a network on a clip: side by side, frame by frame, in one process."""
