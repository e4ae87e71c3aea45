"""The studio's addresses: what the page asks for and what it changes, each group in a file of its own.

Offers `sets.SetRoutes`, `trying.TryingRoutes` and `builds.BuildRoutes`.
May import: what the studio may.
"""
