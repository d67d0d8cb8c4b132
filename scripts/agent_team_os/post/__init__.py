"""Mail between people: letters with files, signed and encrypted, through the organisation's own object store."""
