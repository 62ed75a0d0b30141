"""The specification of a heap, and a reference that predicts it; knows nothing of the implementation."""

# handle   a name for what an allocating step answered: a, b, ...
# step     one line of a trace, about handles
# request  bytes the caller asked for
# want     bytes of block that hold a request, header included
# payload  what the caller is given: the block's address + 8
# live     given out and not yet freed
# witness  something that a run must have seen to mean anything
