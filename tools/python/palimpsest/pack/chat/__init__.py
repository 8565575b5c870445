"""Prompts and completions of any source as a pack: rows are rendered, encoded, put on a side and written."""
