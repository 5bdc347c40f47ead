"""Rehearsal: a node's virtual twin, what is expected of it, what its console shows, and the verdict. Pure."""
