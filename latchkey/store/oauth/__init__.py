"""Other sites that people sign in to with their account here: clients, codes and tokens."""
