"""The command line: options in, one call of the bus, text or JSON out."""
