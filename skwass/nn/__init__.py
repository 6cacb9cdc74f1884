"""Networks, losses and the training loop, in torch only."""
