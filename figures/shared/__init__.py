"""What several figures share: look, command line, runs and numbers."""
