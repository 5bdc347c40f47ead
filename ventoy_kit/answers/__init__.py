"""What installers accept and what they would do: schemas, matching rules and simulations of answer files. Pure."""
