"""Inputs: facts that the plan needs (data folders, ISOs, secrets), read through ports."""
