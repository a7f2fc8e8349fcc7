"""Speech and its text: words, their sounds, which language it is, and where each is spoken."""
