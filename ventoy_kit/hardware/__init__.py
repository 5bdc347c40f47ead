"""The machines' facts: BIOS profiles and what firmware settings a model must have. Pure."""
