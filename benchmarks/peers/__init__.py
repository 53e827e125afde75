"""What a reader would use otherwise: each peer written as its documentation says, in every way that could be the fastest."""
