"""Doors to other frameworks, each independent of the others: import the one you need."""
