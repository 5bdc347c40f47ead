"""The use cases: one function per command, which reads like a table of contents."""
