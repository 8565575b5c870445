"""Texts of any source as a pack: rows are read, encoded, put on a side and written."""
