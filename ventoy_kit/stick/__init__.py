"""The device: Ventoy's disk layout, what identifies a Ventoy stick, what kind of target a user named. Pure."""
