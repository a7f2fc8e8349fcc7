"""Lines: an offset, an offset and a rate, and lines with breaks between them, from windows that agree."""
