"""People: users and their roles, sign-in, profiles, claims, merging, erasure."""
