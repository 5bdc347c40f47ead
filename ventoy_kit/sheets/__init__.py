"""Documents for people: sheets with boxes to tick as text, Markdown and HTML, and the fleet drawn. Pure."""
