"""Remote files: the manifest that lists them, their download, and their verification."""
