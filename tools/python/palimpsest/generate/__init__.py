"""palimpsest generate: text that a trained decoder generates after prompts."""
