"""The manifests that come with amp."""
