"""Two made-up practices for the demo, for development and for looking at pictures. Part of the composition root."""
