"""The formats that come with amp: reader and writer of each in one file."""
