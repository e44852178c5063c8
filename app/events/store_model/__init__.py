"""The model of a believable store: what it sells, when visitors come, who they are and what they do.

Nothing here takes a logarithm or a power of a float: only integers and operations that IEEE 754 defines to
the bit are used, so that a seed gives the same bytes on every machine.
"""
