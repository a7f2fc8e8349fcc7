"""Files, whole or absent: reading, writing and hashing them, and the containers (npz, json) beneath the formats."""
