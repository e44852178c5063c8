"""What people look at: the answers as pictures and tables."""
