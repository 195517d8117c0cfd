"""What the studies behind lesson 10 have in common."""

SPLIT_SEED = 0  # of the senders of the photographs, and of Fashion-MNIST's images: each is split by itself
DRAWS = 1_000  # of senders, for an interval
