"""Free warps: what two recordings share, how sure each moment of a path is, and spaces of two kinds of features."""
