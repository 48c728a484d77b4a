"""A replication of Qin, Guo, Kaliyev and Agar, Adv. Mater. 2022, 10.1002/adma.202202814."""

__version__ = "0.2.0"
