"""What will exist: Fleet and Inputs become a Plan. Pure."""
