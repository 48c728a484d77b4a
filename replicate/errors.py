"""The one exception that speaks to the user."""


class ReplicationError(Exception):
    """Something a user can mend: the message names the file, the field and the fix."""
