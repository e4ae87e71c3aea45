"""Sets that leave: written in another format, or published on a hub.

Offers `export`, `export_zip` and `publish`. Only its `hub` opens connections, beside `sources.hub`.
May import: everything above.
"""
