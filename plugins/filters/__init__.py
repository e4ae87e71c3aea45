"""The filters that come with amp, one file each."""
