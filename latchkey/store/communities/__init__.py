"""Discord servers and Slack workspaces: what products give there, and whom it was given to."""
