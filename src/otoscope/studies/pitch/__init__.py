"""The pitch study: which layer of which speech model encodes F0, and whether that carries over to new languages."""
