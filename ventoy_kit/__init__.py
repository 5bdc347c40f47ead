"""ventoy-kit: one fleet file in, one Ventoy stick out."""

__version__ = "0.1.0"
