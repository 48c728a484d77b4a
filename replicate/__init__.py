"""A replication of Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814."""

__version__ = "0.2.0"


def __getattr__(name):
    """Return `read`, which needs NumPy and is imported only where it is asked for.

    NumPy must not be loaded before the arithmetic is chosen.
    """
    if name == "read":
        from replicate.data.user_scan.in_memory import read

        return read
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
