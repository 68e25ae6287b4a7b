"""What a scheme costs."""
