"""Ways of running the variants of many sources."""
