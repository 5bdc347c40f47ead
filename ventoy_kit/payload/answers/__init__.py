"""Answer files, one module per family, each with `render(node, image, files)`."""
