"""Temporal activities that read Stripe and write Postgres, one module per job.

They return ids, times and states. No personal data leaves them, not even in an error.
"""
