"""Many recordings of one event on one clock: which overlap, by how much, and what agrees with all of it."""
