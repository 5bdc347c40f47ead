"""What the user asked for: the text of a fleet file becomes a Fleet and a Report. Pure."""
