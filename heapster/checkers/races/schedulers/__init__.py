"""Who goes on at a switch point, and which write a load answers: a chooser of the traced machine each."""
