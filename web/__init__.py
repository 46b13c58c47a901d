"""The web process, built on Starlette.

- `webhooks`, `relay`: the way of an event from Stripe to its workflow.
- `api/`: the JSON API. `inputs`: the validation that it shares with the forms.
- `pages/`: HTML for members (`pages/member`) and admins (`pages/admin`), with `templates/` and
  `static/`.
- `wording/`: what the API and the pages call things, and sentences about access.
- `site`, `app`, `security`: what all requests share.

`api` and `pages` don't import from each other.
"""
