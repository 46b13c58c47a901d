"""Outgoing webhooks: endpoints, the events that they are told, and what became of each delivery."""
