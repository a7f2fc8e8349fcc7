"""A reference followed while the other recording still plays."""
