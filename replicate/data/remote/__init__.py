"""Files of the manifest: which there are, and how they are fetched and verified."""
