"""What is wrong with a set: rules and findings.

Offers `audit`, `AuditReport`, `Finding` and `RULES`.
May import: everything above, `sources` included.
"""
