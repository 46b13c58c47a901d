"""The site's products: what they are, what they are linked to in Stripe, how they are sold."""
