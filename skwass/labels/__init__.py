"""Which pairs an embedder learns from, and what their labels are. Values alone."""
