"""What the fleet is when it runs: where services live, what they lean on, what a loss takes along. Pure."""
