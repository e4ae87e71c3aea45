"""What Python callers use that no other wing offers: the commands as functions, and the manifest as objects.

Offers `init`, `read`, `check`, `explain`, `convert`, `filters`, `describe`, `Recipe`, `Mix`, `Labels`, `Source` and
`Encode`.
May import: everything above.
"""
