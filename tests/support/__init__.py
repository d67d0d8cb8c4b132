"""What the tests share: a way to run the program, and a corpus of broken files."""
