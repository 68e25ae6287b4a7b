"""What is learnt from unlabelled frames."""
