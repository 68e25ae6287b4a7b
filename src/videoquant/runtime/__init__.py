"""What a camera needs: a plan from its file, and the streams that run it."""
