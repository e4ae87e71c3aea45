"""How the shards of a build are spread over processes and machines, one module an engine.

Offers `make` and `borrowed`.
May import: the rest of `building` but its `api`, and all that it may.
"""
