"""The bytes: a Plan becomes a Payload. Pure."""
