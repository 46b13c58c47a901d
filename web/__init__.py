"""The web process, built on Starlette.

- `webhooks`, `relay`: the way of an event from Stripe to its workflow.
- `api/`: the JSON API. `inputs`: the validation that it shares with the forms.
- `pages/`: HTML for members (`pages/member`) and admins (`pages/admin`), with `templates/` and
  `static/`.
- `wording/`: what the API and the pages call things, and sentences about access.
- `site`, `app`, `security`: what all requests share. `hosts`, `visitors`, `paths`, `bodies` and
  `brakes`: what a request may be before a page or call sees it, and how often it may come.
- `audit`, `audit_actions`: what the audit log calls a request, and counts of refused ones.

`api` and `pages` don't import from each other.
"""
