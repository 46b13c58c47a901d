"""What web, worker and command line share: contracts, rules, store and the edges to the outside."""
