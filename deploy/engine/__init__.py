"""Compiles this device's engine from a product's model, and verifies it."""
