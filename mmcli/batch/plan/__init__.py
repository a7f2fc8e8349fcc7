"""What is to be done: inputs, streams and fitted states, the plan of a batch, and what one task does."""
