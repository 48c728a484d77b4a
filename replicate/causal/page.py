"""The page of the causal extension, from its template and a record."""


def render(record):
    """Return the page."""
    raise NotImplementedError
