"""Which convolution is this function? Found from its responses to impulses."""
