"""The local web page for the whole way from a set to a finished build, with the manifest in sight all the time.

Offers `serving.serve`, which `amp studio` starts. `editing` changes a manifest's text in place, `session` holds what is
open, `rendering` makes the pixels that a build will write, `jobs` runs builds beside the page.
May import: everything but the command line.
"""
