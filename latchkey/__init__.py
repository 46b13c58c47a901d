"""What web, worker and command line share: contracts, rules, the store and outside connections."""
