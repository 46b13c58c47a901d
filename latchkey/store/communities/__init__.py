"""Discord servers: what products give there, and whom it was given to."""
