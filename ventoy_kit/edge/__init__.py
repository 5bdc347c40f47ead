"""The only side effects. Nothing here decides anything."""
