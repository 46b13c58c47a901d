"""Who may open what: grants, collections, complimentary access, the access policy, and why."""
