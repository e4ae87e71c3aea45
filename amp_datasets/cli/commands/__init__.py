"""The commands of `amp`, thin layers over the public functions, grouped by what they work on.

Offers one function a command.
May import: everything, when a command runs.
"""
