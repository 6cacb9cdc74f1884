"""Embeddings without training: arrays in, arrays and records out. No estimator."""
