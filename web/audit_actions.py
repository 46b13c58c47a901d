"""The name that each changing route has in the audit log, and the kind of object that it changes.

A route that isn't listed here raises an error when the routes are put together. None marks routes
that aren't logged: requests by people who aren't signed in, a member's own small choices, and
routes that change nothing.
"""

import itertools
from collections.abc import Mapping

from latchkey.rules.vocabulary import AuditAction as A
from latchkey.store.audit import AuditTarget

PAGES: dict[str, A | None] = {
    "POST /login": A.SIGNED_IN,
    "POST /login/again": A.SIGNED_IN,
    "POST /login/link": None,
    "POST /login/recover": None,
    "POST /login/{token}": A.SIGNED_IN,
    "POST /login/code": A.SIGNED_IN,
    "POST /login/passkey": A.SIGNED_IN,
    "POST /login/passkey/options": None,
    "POST /oauth/authorize/{id}": A.CONSENT_GIVEN,
    "POST /oauth/authorize/{id}/account": None,
    "POST /oauth/authorize/{id}/sign-out": A.SIGNED_OUT,
    "GET /oauth/logout": A.SIGNED_OUT,
    "POST /oauth/logout/confirm": A.SIGNED_OUT,
    "POST /account/sites/{id}/disconnect": A.CONSENT_WITHDRAWN,
    "POST /logout": A.SIGNED_OUT,
    "POST /account/billing": A.PORTAL_OPENED,
    "POST /account/receipt": None,
    "POST /account/mails": None,
    "POST /account/email": A.EMAIL_CHANGE_ASKED,
    "POST /account/email/{token}": A.EMAIL_CHANGED,
    "POST /account/password": A.PASSWORD_CHANGED,
    "POST /account/sessions/{id}/end": A.SESSIONS_ENDED,
    "POST /account/sessions/end": A.SESSIONS_ENDED,
    "POST /account/security/app": A.FACTOR_ADDED,
    "POST /account/security/app/remove": A.FACTOR_REMOVED,
    "POST /account/security/codes": A.RECOVERY_CODES_RENEWED,
    "POST /account/security/passkeys": A.FACTOR_ADDED,
    "POST /account/security/passkeys/options": None,
    "POST /account/security/passkeys/{id}/rename": None,
    "POST /account/security/passkeys/{id}/remove": A.FACTOR_REMOVED,
    "GET /account/communities/discord": A.COMMUNITY_JOINED,
    "GET /account/communities/slack": A.COMMUNITY_JOINED,
    "POST /account/communities/{id}/connect": None,
    "POST /account/communities/sync": None,
    "POST /account/communities/{account}/disconnect": A.COMMUNITY_LEFT,
    "POST /account/claims": None,
    "POST /account/claims/{token}": A.PURCHASE_CLAIMED,
    "POST /merge/{token}": A.MERGE_AGREED,
    "POST /unsubscribe/{token}": None,
    "OPTIONS /embed/access": None,
    "POST /acting/stop": A.IMPERSONATION_ENDED,
    "GET /admin/users.csv": A.EXPORTED,
    "GET /admin/users/{id}/access.csv": A.EXPORTED,
    "GET /admin/products/{id}/access.csv": A.EXPORTED,
    "GET /admin/activity.csv": A.EXPORTED,
    "GET /admin/drift/{id}.csv": A.EXPORTED,
    "GET /admin/audit.csv": A.EXPORTED,
    "GET /admin/subscriptions.csv": A.EXPORTED,
    "GET /admin/purchases.csv": A.EXPORTED,
    "GET /admin/customers.csv": A.EXPORTED,
    "GET /admin/at-risk.csv": A.EXPORTED,
    "GET /admin/cancellations.csv": A.EXPORTED,
    "POST /admin/at-risk/{id}/mail": A.REMINDER_SENT,
    "POST /billing/card/{token}": None,
    "POST /admin/users/import": None,
    "POST /admin/users/import/{id}": A.USERS_IMPORTED,
    "POST /admin/users/{id}/grant": A.ACCESS_GIVEN,
    "POST /admin/users/{id}/link": A.LINK_MAILED,
    "POST /admin/users/{id}/notes": A.NOTE_ADDED,
    "POST /admin/users/{id}/export": A.EXPORTED,
    "POST /admin/users/{id}/erase": A.USER_ERASED,
    "POST /admin/users/{id}/factors": A.FACTOR_REMOVED,
    "POST /admin/users/{id}/sessions/end": A.SESSIONS_ENDED,
    "POST /admin/users/{id}/sessions/{session}/end": A.SESSIONS_ENDED,
    "POST /admin/users/{id}/merge": A.MERGE_ASKED,
    "POST /admin/users/{id}/merge/now": A.USERS_MERGED,
    "POST /admin/users/{id}/unmerge": A.MERGE_UNDONE,
    "POST /admin/users/{id}/sign-in-as": A.IMPERSONATION_STARTED,
    "POST /admin/notes/{id}/delete": A.NOTE_DELETED,
    "POST /admin/merges/{id}/accept": A.MERGE_ASKED,
    "POST /admin/merges/{id}/dismiss": A.MATCH_DISMISSED,
    "POST /admin/subscriptions/second/{id}/allow": A.SECOND_SUBSCRIPTION_ALLOWED,
    "POST /admin/webhooks/new": A.WEBHOOK_ADDED,
    "POST /admin/webhooks/{id}/change": A.WEBHOOK_CHANGED,
    "POST /admin/webhooks/{id}/secret": A.WEBHOOK_SECRET_RENEWED,
    "POST /admin/webhooks/{id}/pause": A.WEBHOOK_CHANGED,
    "POST /admin/webhooks/{id}/resume": A.WEBHOOK_CHANGED,
    "POST /admin/webhooks/{id}/test": A.WEBHOOKS_RESENT,
    "POST /admin/webhooks/{id}/replay": A.WEBHOOKS_RESENT,
    "POST /admin/webhooks/{id}/delete": A.WEBHOOK_DELETED,
    "POST /admin/webhooks/{id}/deliveries/{delivery}/resend": A.WEBHOOKS_RESENT,
    "POST /admin/communities/new/{kind}": A.COMMUNITY_ADDED,
    "POST /admin/communities/{id}/server": A.COMMUNITY_CHANGED,
    "POST /admin/communities/{id}/roles": A.COMMUNITY_CHANGED,
    "POST /admin/communities/{id}/roles/remove": A.COMMUNITY_CHANGED,
    "POST /admin/communities/{id}/keys": A.COMMUNITY_CHANGED,
    "POST /admin/communities/{id}/sync": None,
    "POST /admin/communities/{id}/pause": A.COMMUNITY_CHANGED,
    "POST /admin/communities/{id}/resume": A.COMMUNITY_CHANGED,
    "POST /admin/communities/{id}/remove": A.COMMUNITY_REMOVED,
    "POST /admin/tokens": A.TOKEN_CREATED,
    "POST /admin/tokens/{id}/revoke": A.TOKEN_REVOKED,
    "POST /admin/clients/new": A.CLIENT_CREATED,
    "POST /admin/clients/{id}": A.CLIENT_CHANGED,
    "POST /admin/clients/{id}/secrets": A.CLIENT_SECRET_CREATED,
    "POST /admin/clients/{id}/secrets/{secret}/revoke": A.CLIENT_SECRET_REVOKED,
    "POST /admin/clients/{id}/delete": A.CLIENT_DELETED,
    "POST /admin/protected-sites/new": A.PROTECTED_SITE_ADDED,
    "POST /admin/protected-sites/{id}": A.PROTECTED_SITE_CHANGED,
    "POST /admin/protected-sites/{id}/delete": A.PROTECTED_SITE_REMOVED,
    "POST /admin/grants": A.ACCESS_GIVEN,
    "POST /admin/grants/{id}/end": A.ACCESS_ENDED,
    "POST /admin/grants/{id}/lift": A.HOLD_LIFTED,
    "POST /admin/products/new": A.PRODUCT_CREATED,
    "POST /admin/products/categories": A.CATEGORIES_CHANGED,
    "POST /admin/products/categories/{category}": A.CATEGORIES_CHANGED,
    "POST /admin/products/{id}": A.PRODUCT_CHANGED,
    "POST /admin/products/{id}/content": A.PRODUCT_CHANGED,
    "POST /admin/products/{id}/settings": A.PRODUCT_CHANGED,
    "POST /admin/products/{id}/delete": A.PRODUCT_DELETED,
    "POST /admin/products/{id}/grants": A.ACCESS_GIVEN,
    "POST /admin/products/{id}/checkout": A.CHECKOUT_CHANGED,
    "POST /admin/products/{id}/policy": A.POLICY_CHANGED,
    "POST /admin/products/{id}/stripe": A.LINK_CHANGED,
    "POST /admin/products/{id}/stripe/preview": None,
    "POST /admin/products/{id}/stripe/remove": A.LINK_REMOVED,
    "POST /admin/products/{id}/sales-page": A.SALES_PAGE_CHANGED,
    "POST /admin/products/{id}/sales-page/start": A.SALES_PAGE_CHANGED,
    "POST /admin/products/{id}/sales-page/preview": None,
    "POST /admin/products/{id}/sales-page/delete": A.SALES_PAGE_DELETED,
    "POST /admin/policy": A.POLICY_CHANGED,
    "POST /admin/collections": A.COLLECTION_CREATED,
    "POST /admin/collections/{id}": A.COLLECTION_CHANGED,
    "POST /admin/collections/{id}/delete": A.COLLECTION_DELETED,
    "POST /admin/collections/{id}/grants": A.ACCESS_GIVEN,
    "POST /admin/collections/{id}/grants/{holder}/end": A.ACCESS_ENDED,
    "POST /admin/connect/{kind}": None,
    "POST /admin/mails/server": A.MAIL_SETTINGS_CHANGED,
    "POST /admin/mails/server/test": None,
    "POST /admin/mails/server/remove": A.MAIL_SETTINGS_CHANGED,
    "POST /admin/connectors/stripe": A.CONNECTION_CHANGED,
    "POST /admin/connectors/stripe/check": None,
    "POST /admin/connectors/stripe/disconnect": A.CONNECTION_REMOVED,
    "POST /admin/connectors/stripe/portal": A.SETTINGS_CHANGED,
    "POST /admin/go-live/{step}": A.SETTINGS_CHANGED,
    "POST /admin/health/repair": A.CONNECTION_REPAIRED,
    "POST /admin/settings": A.SETTINGS_CHANGED,
    "POST /admin/settings/embed": A.SETTINGS_CHANGED,
    "POST /admin/settings/team": A.ROLE_CHANGED,
    "POST /admin/settings/team/{id}": A.ROLE_CHANGED,
    "POST /admin/settings/team/second-factor": A.SETTINGS_CHANGED,
    "POST /admin/mails/settings": A.MAIL_SETTINGS_CHANGED,
    "POST /admin/mails/{id}/resend": A.MAIL_RESENT,
    "POST /admin/inbox/resend-failed": A.EVENT_RESENT,
    "POST /admin/inbox/{id}/resend": A.EVENT_RESENT,
    "POST /admin/inbox/{id}/ignore": A.EVENT_IGNORED,
    "POST /admin/drift": A.COMPARISON_STARTED,
    "POST /admin/drift/{id}/repair": A.REPAIR_STARTED,
}

CALLS: dict[str, A | None] = {
    "POST /access": None,
    "POST /access-tokens": None,
    "POST /products": A.PRODUCT_CREATED,
    "PATCH /products/{id}": A.PRODUCT_CHANGED,
    "DELETE /products/{id}": A.PRODUCT_DELETED,
    "POST /products/{id}/link/preview": None,
    "PUT /products/{id}/link": A.LINK_CHANGED,
    "DELETE /products/{id}/link": A.LINK_REMOVED,
    "PUT /products/{id}/checkout": A.CHECKOUT_CHANGED,
    "PUT /products/{id}/prices": A.CHECKOUT_CHANGED,
    "POST /products/{id}/grants": A.ACCESS_GIVEN,
    "POST /products/{id}/grants/bulk": A.ACCESS_GIVEN,
    "DELETE /grants/{id}": A.ACCESS_ENDED,
    "POST /grants/{id}/lift": A.HOLD_LIFTED,
    "PUT /policy": A.POLICY_CHANGED,
    "POST /policy/preview": None,
    "PUT /products/{id}/policy": A.POLICY_CHANGED,
    "POST /products/{id}/policy/preview": None,
    "POST /collections": A.COLLECTION_CREATED,
    "PATCH /collections/{id}": A.COLLECTION_CHANGED,
    "DELETE /collections/{id}": A.COLLECTION_DELETED,
    "POST /collections/{id}/grants": A.ACCESS_GIVEN,
    "DELETE /collections/{id}/grants/{holder}": A.ACCESS_ENDED,
    "POST /matches/{id}/accept": A.MERGE_ASKED,
    "POST /matches/{id}/dismiss": A.MATCH_DISMISSED,
    "POST /users/{id}/merge": A.USERS_MERGED,
    "POST /users/{id}/merge-requests": A.MERGE_ASKED,
    "POST /users/{id}/unmerge": A.MERGE_UNDONE,
    "POST /events/{id}/resend": A.EVENT_RESENT,
    "POST /events/{id}/ignore": A.EVENT_IGNORED,
    "POST /reconciliations": A.COMPARISON_STARTED,
    "POST /reconciliations/{id}/repair": A.REPAIR_STARTED,
    "POST /portal-sessions": A.PORTAL_OPENED,
    "POST /checkout-sessions": A.CHECKOUT_OPENED,
}


def page_action(name: str) -> A | None:
    """The action of a form, such as `POST /login`. Raises `LookupError` if it isn't listed."""
    return _listed(PAGES, name)


def call_action(name: str) -> A | None:
    """The action of an API call, such as `POST /products`. Raises `LookupError` if it isn't
    listed."""
    return _listed(CALLS, name)


def _listed(actions: Mapping[str, A | None], name: str) -> A | None:
    if name not in actions:
        raise LookupError(f"{name} has no line in web/audit_actions.py: say what it is called")
    return actions[name]


_KINDS = {
    "users": "user",
    "team": "user",
    "products": "product",
    "collections": "collection",
    "grants": "grant",
    "tokens": "token",
    "clients": "client",
    "protected-sites": "protected_site",
    "webhooks": "webhook_endpoint",
    "communities": "community",
    "merges": "match",
    "matches": "match",
    "second": "subscription",
    "at-risk": "subscription",
    "notes": "note",
    "categories": "category",
    "mails": "email",
    "inbox": "event",
    "events": "event",
    "drift": "comparison",
    "reconciliations": "comparison",
    "sessions": "session",
}


def target_of(path: str, parameters: Mapping[str, object]) -> AuditTarget | None:
    """The object that a route's path names first: for `/admin/users/{id}/erase`, the user with that
    id. Parts that may be secret, such as a link's token, are left out."""
    parts = path.split("/")
    for before, part in itertools.pairwise(parts):
        name = part.partition("}")[0].removeprefix("{").partition(":")[0]
        if part.startswith("{") and before in _KINDS:
            return AuditTarget(_KINDS[before], str(parameters.get(name, "")))
    return None
