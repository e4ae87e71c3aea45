"""A second opinion on labels: things painted in colours of their own and found again by their pixels.

Painting and judging are NumPy alone and share nothing with the package. Only `adapter`, which translates to its data
model, and `survey`, which runs it, import it.
"""
