"""The Proxmox VE cluster as it is, as the fleet wants it, and the steps between the two. Pure."""
