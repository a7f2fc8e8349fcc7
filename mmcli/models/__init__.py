"""Neural networks: encoders (one modality to a vector), fusion blocks (vectors to one), heads (one to logits)."""
