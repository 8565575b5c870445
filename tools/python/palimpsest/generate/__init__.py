"""palimpsest generate: what a decoder with saved weights writes after prompts that are given as text."""
