"""Training: settings, batches, the loop, validation, checkpoints, the finished product."""
