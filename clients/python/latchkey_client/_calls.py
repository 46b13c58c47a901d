"""A method for each call of the JSON API. Written by `make clients`; don't edit it by hand.

Made from 2a604500580dfadcb9b184666e6225fffd60d05cccd49cafc7154cdcb7cce1be
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from latchkey_client import types


def _part(value: str | int) -> str:
    if str(value) in ("", ".", ".."):
        raise ValueError(f"an id can't be {value!r}: that would be another call")
    return quote(str(value), safe="")


class SyncCalls(ABC):
    """The calls. They raise `ApiError` and `UnavailableError`."""

    @abstractmethod
    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        file: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Send a request; what the site answered."""

    def get_access(
        self, *, product: str, email: str | None = None, user: int | None = None
    ) -> types.Access:
        """Whether a person may open a product now."""
        found: types.Access = self._call(
            "GET", "/access", query={"product": product, "email": email, "user": user}
        )
        return found

    def post_access(self, body: types.Who) -> types.Access:
        """Whether a person may open a product now, asked with a body."""
        found: types.Access = self._call("POST", "/access", body=body)
        return found

    def get_why(
        self, *, product: str, email: str | None = None, user: int | None = None
    ) -> types.Why:
        """The full chain behind an access decision."""
        found: types.Why = self._call(
            "GET", "/why", query={"product": product, "email": email, "user": user}
        )
        return found

    def get_product_access(
        self, id: str | int, *, on: str, limit: int | None = None, after: str | None = None
    ) -> types.SpanList:
        """Who had access to a product at any time on a given day, one entry per grant."""
        found: types.SpanList = self._call(
            "GET", f"/products/{_part(id)}/access", query={"limit": limit, "after": after, "on": on}
        )
        return found

    def get_user_access(
        self,
        id: str | int,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
    ) -> types.SpanList:
        """A user's access over time, newest grant first."""
        found: types.SpanList = self._call(
            "GET",
            f"/users/{_part(id)}/access",
            query={"limit": limit, "after": after, "product": product},
        )
        return found

    def post_access_tokens(self, body: types.TokenRequest) -> types.AccessToken:
        """Sign a token that says that a person may open a product now."""
        found: types.AccessToken = self._call("POST", "/access-tokens", body=body)
        return found

    def get_audit(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        actor: str | None = None,
        action: Literal[
            "signed_in",
            "sign_in_failed",
            "second_factor_asked",
            "signed_out",
            "sessions_ended",
            "factor_added",
            "factor_removed",
            "recovery_codes_renewed",
            "password_changed",
            "email_change_asked",
            "email_changed",
            "purchase_claimed",
            "portal_opened",
            "checkout_opened",
            "page_denied",
            "forged_form",
            "token_denied",
            "scope_denied",
            "token_created",
            "token_revoked",
            "client_created",
            "client_changed",
            "client_deleted",
            "client_secret_created",
            "client_secret_revoked",
            "protected_site_added",
            "protected_site_changed",
            "protected_site_removed",
            "consent_given",
            "consent_withdrawn",
            "exported",
            "impersonation_started",
            "impersonation_ended",
            "settings_changed",
            "mail_settings_changed",
            "role_changed",
            "owner_recovered",
            "connection_changed",
            "connection_removed",
            "connection_repaired",
            "policy_changed",
            "product_created",
            "product_changed",
            "product_deleted",
            "categories_changed",
            "collection_created",
            "collection_changed",
            "collection_deleted",
            "lessons_changed",
            "lesson_deleted",
            "sales_page_changed",
            "sales_page_deleted",
            "checkout_changed",
            "link_changed",
            "link_removed",
            "access_given",
            "access_ended",
            "hold_lifted",
            "users_imported",
            "users_welcomed",
            "import_undone",
            "users_merged",
            "merge_asked",
            "merge_agreed",
            "merge_declined",
            "merge_undone",
            "purchase_assigned",
            "match_dismissed",
            "second_subscription_allowed",
            "user_erased",
            "labels_changed",
            "picture_replaced",
            "picture_deleted",
            "note_added",
            "note_deleted",
            "link_mailed",
            "mail_resent",
            "reminder_sent",
            "invited_back",
            "promotion_made",
            "event_resent",
            "event_ignored",
            "comparison_started",
            "repair_started",
            "secrets_rotated",
            "site_adopted",
            "site_restored",
            "site_scrubbed",
            "community_added",
            "community_changed",
            "community_removed",
            "community_joined",
            "community_left",
            "webhook_added",
            "webhook_changed",
            "webhook_secret_renewed",
            "webhook_deleted",
            "webhooks_resent",
        ]
        | None = None,
        since: str | None = None,
    ) -> types.AuditEventList:
        """List the audit log, newest first: who did what, from where, and what came of it."""
        found: types.AuditEventList = self._call(
            "GET",
            "/audit",
            query={
                "limit": limit,
                "after": after,
                "actor": actor,
                "action": action,
                "since": since,
            },
        )
        return found

    def put_product_checkout(self, id: str | int, body: types.CheckoutChoice) -> types.Checkout:
        """Turn a product's checkout on, with a price, or off."""
        found: types.Checkout = self._call("PUT", f"/products/{_part(id)}/checkout", body=body)
        return found

    def get_product_checkout(self, id: str | int) -> types.Checkout:
        """Get a product's checkout and its payment link."""
        found: types.Checkout = self._call("GET", f"/products/{_part(id)}/checkout")
        return found

    def get_product_prices(self, id: str | int) -> types.PriceList:
        """List the prices that a product is sold at, in order."""
        found: types.PriceList = self._call("GET", f"/products/{_part(id)}/prices")
        return found

    def put_product_prices(self, id: str | int, body: types.OfferedPrices) -> types.PriceList:
        """Set the prices that a product is sold at, in order; none turns its checkout off."""
        found: types.PriceList = self._call("PUT", f"/products/{_part(id)}/prices", body=body)
        return found

    def post_portal_sessions(
        self, body: types.PortalFor, *, idempotency_key: str | None = None
    ) -> types.PortalSession:
        """Create a session of Stripe's customer portal."""
        found: types.PortalSession = self._call(
            "POST", "/portal-sessions", body=body, idempotency_key=idempotency_key
        )
        return found

    def post_checkout_sessions(
        self, body: types.CheckoutFor, *, idempotency_key: str | None = None
    ) -> types.CheckoutSession:
        """Create a checkout session for a price that the product is sold at."""
        found: types.CheckoutSession = self._call(
            "POST", "/checkout-sessions", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_collections(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.CollectionList:
        """List the site's collections by name."""
        found: types.CollectionList = self._call(
            "GET", "/collections", query={"limit": limit, "after": after}
        )
        return found

    def post_collections(
        self, body: types.NewCollection, *, idempotency_key: str | None = None
    ) -> types.Collection:
        """Create a collection."""
        found: types.Collection = self._call(
            "POST", "/collections", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_collection(self, id: str | int) -> types.Collection:
        """Get one collection."""
        found: types.Collection = self._call("GET", f"/collections/{_part(id)}")
        return found

    def patch_collection(
        self, id: str | int, body: types.CollectionChanges | None = None
    ) -> types.Collection:
        """Change a collection. Whoever has it gains added products and loses removed ones."""
        found: types.Collection = self._call("PATCH", f"/collections/{_part(id)}", body=body)
        return found

    def delete_collection(self, id: str | int) -> None:
        """Delete a collection. The access it gave ends."""
        self._call("DELETE", f"/collections/{_part(id)}")

    def get_collection_grants(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.HolderList:
        """List the people who have a collection, newest first."""
        found: types.HolderList = self._call(
            "GET", f"/collections/{_part(id)}/grants", query={"limit": limit, "after": after}
        )
        return found

    def post_collection_grants(
        self, id: str | int, body: types.NewGrant, *, idempotency_key: str | None = None
    ) -> types.Holder:
        """Give a person a collection. Giving it again changes its end and reason."""
        found: types.Holder = self._call(
            "POST", f"/collections/{_part(id)}/grants", body=body, idempotency_key=idempotency_key
        )
        return found

    def delete_collection_grant(self, id: str | int, holder: str | int) -> None:
        """Take a collection from a person, with the access it gave."""
        self._call("DELETE", f"/collections/{_part(id)}/grants/{_part(holder)}")

    def post_product_grants_bulk(
        self, id: str | int, body: types.Gifts, *, idempotency_key: str | None = None
    ) -> types.GiftsDone:
        """Give many people complimentary access, up to 1,000 at once."""
        found: types.GiftsDone = self._call(
            "POST", f"/products/{_part(id)}/grants/bulk", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_customers(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
        price: str | None = None,
        user: int | None = None,
        livemode: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        state: Literal["known", "unknown", "deleted"] | None = None,
    ) -> types.CustomerList:
        """List the Stripe customers who bought something that is linked, newest first."""
        found: types.CustomerList = self._call(
            "GET",
            "/customers",
            query={
                "limit": limit,
                "after": after,
                "product": product,
                "price": price,
                "user": user,
                "livemode": livemode,
                "since": since,
                "until": until,
                "search": search,
                "state": state,
            },
        )
        return found

    def get_customer(self, id: str | int) -> types.BillingCustomer:
        """Get one customer by Stripe's id."""
        found: types.BillingCustomer = self._call("GET", f"/customers/{_part(id)}")
        return found

    def get_activities(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        type: str | None = None,
        user: int | None = None,
        product: str | None = None,
        cause: str | None = None,
        since: str | None = None,
    ) -> types.ActivityList:
        """List the activity feed, newest first, with exactly one line per fact."""
        found: types.ActivityList = self._call(
            "GET",
            "/activities",
            query={
                "limit": limit,
                "after": after,
                "type": type,
                "user": user,
                "product": product,
                "cause": cause,
                "since": since,
            },
        )
        return found

    def get_matches(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        state: Literal["open", "accepted", "dismissed", "settled"] | None = None,
    ) -> types.MatchList:
        """List identity matches to review, newest first."""
        found: types.MatchList = self._call(
            "GET", "/matches", query={"limit": limit, "after": after, "state": state}
        )
        return found

    def post_match_accept(
        self,
        id: str | int,
        body: types.Acceptance | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> types.Match:
        """Accept a match: ask to merge the two users, or assign the purchase to `email`."""
        found: types.Match = self._call(
            "POST", f"/matches/{_part(id)}/accept", body=body, idempotency_key=idempotency_key
        )
        return found

    def post_match_dismiss(
        self, id: str | int, *, idempotency_key: str | None = None
    ) -> types.Match:
        """Dismiss a match. Nothing changes, and the same doubt isn't raised again."""
        found: types.Match = self._call(
            "POST", f"/matches/{_part(id)}/dismiss", idempotency_key=idempotency_key
        )
        return found

    def post_user_merge(
        self, id: str | int, body: types.MergeWith, *, idempotency_key: str | None = None
    ) -> types.Merge:
        """Merge another user into this one without asking its owner."""
        found: types.Merge = self._call(
            "POST", f"/users/{_part(id)}/merge", body=body, idempotency_key=idempotency_key
        )
        return found

    def post_user_merge_requests(
        self, id: str | int, body: types.AskToMerge, *, idempotency_key: str | None = None
    ) -> types.MergeRequest:
        """Ask the owners of this user and another one to agree to a merge."""
        found: types.MergeRequest = self._call(
            "POST", f"/users/{_part(id)}/merge-requests", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_user_merge_requests(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.MergeRequestList:
        """List the requests to merge this user with another one, newest first."""
        found: types.MergeRequestList = self._call(
            "GET", f"/users/{_part(id)}/merge-requests", query={"limit": limit, "after": after}
        )
        return found

    def get_user_merges(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.PastMergeList:
        """List the users who were merged into this one, newest first."""
        found: types.PastMergeList = self._call(
            "GET", f"/users/{_part(id)}/merges", query={"limit": limit, "after": after}
        )
        return found

    def post_user_unmerge(
        self, id: str | int, *, idempotency_key: str | None = None
    ) -> types.Merge:
        """Undo the merge of this user into another one."""
        found: types.Merge = self._call(
            "POST", f"/users/{_part(id)}/unmerge", idempotency_key=idempotency_key
        )
        return found

    def get_user_addresses(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.AddressList:
        """List a user's additional addresses, whether claimed or from a merge."""
        found: types.AddressList = self._call(
            "GET", f"/users/{_part(id)}/addresses", query={"limit": limit, "after": after}
        )
        return found

    def get_events(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        state: Literal["waiting", "relayed", "handled", "ignored", "failed"] | None = None,
        type: str | None = None,
        object: str | None = None,
    ) -> types.EventList:
        """List the inbox, newest first."""
        found: types.EventList = self._call(
            "GET",
            "/events",
            query={"limit": limit, "after": after, "state": state, "type": type, "object": object},
        )
        return found

    def get_event(self, id: str | int) -> types.WholeEvent:
        """Get one event with what Stripe sent."""
        found: types.WholeEvent = self._call("GET", f"/events/{_part(id)}")
        return found

    def post_event_resend(
        self, id: str | int, *, idempotency_key: str | None = None
    ) -> types.Event:
        """Process an event again. Harmless if it was already processed."""
        found: types.Event = self._call(
            "POST", f"/events/{_part(id)}/resend", idempotency_key=idempotency_key
        )
        return found

    def post_event_ignore(
        self, id: str | int, body: types.Ignoring, *, idempotency_key: str | None = None
    ) -> types.Event:
        """Ignore a failed event, with the reason why nothing needs to be done."""
        found: types.Event = self._call(
            "POST", f"/events/{_part(id)}/ignore", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_product_lessons(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.LessonList:
        """List a product's lessons in their order, drafts included."""
        found: types.LessonList = self._call(
            "GET", f"/products/{_part(id)}/lessons", query={"limit": limit, "after": after}
        )
        return found

    def post_product_lessons(
        self, id: str | int, body: types.NewLesson, *, idempotency_key: str | None = None
    ) -> types.Lesson:
        """Create a lesson after the others. A product can have up to 200."""
        found: types.Lesson = self._call(
            "POST", f"/products/{_part(id)}/lessons", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_product_lesson(self, id: str | int, lesson: str | int) -> types.Lesson:
        """Get one lesson with its text."""
        found: types.Lesson = self._call("GET", f"/products/{_part(id)}/lessons/{_part(lesson)}")
        return found

    def patch_product_lesson(
        self, id: str | int, lesson: str | int, body: types.LessonChanges | None = None
    ) -> types.Lesson:
        """Change a lesson. Null clears the address of the video."""
        found: types.Lesson = self._call(
            "PATCH", f"/products/{_part(id)}/lessons/{_part(lesson)}", body=body
        )
        return found

    def delete_product_lesson(self, id: str | int, lesson: str | int) -> None:
        """Delete a lesson, with its files and the marks of those who have done it."""
        self._call("DELETE", f"/products/{_part(id)}/lessons/{_part(lesson)}")

    def put_product_lesson_order(self, id: str | int, body: types.LessonOrder) -> types.LessonList:
        """Put a product's lessons in another order."""
        found: types.LessonList = self._call(
            "PUT", f"/products/{_part(id)}/lesson-order", body=body
        )
        return found

    def post_product_link_preview(self, id: str | int, body: types.PreviewOf) -> types.Preview:
        """Preview who a link would affect, and why. Changes nothing."""
        found: types.Preview = self._call("POST", f"/products/{_part(id)}/link/preview", body=body)
        return found

    def put_product_link(self, id: str | int, body: types.LinkTo) -> types.Link:
        """Link a product to a Stripe product."""
        found: types.Link = self._call("PUT", f"/products/{_part(id)}/link", body=body)
        return found

    def get_product_link(self, id: str | int) -> types.Link:
        """Get a product's link and the progress of its import."""
        found: types.Link = self._call("GET", f"/products/{_part(id)}/link")
        return found

    def delete_product_link(
        self, id: str | int, *, members: Literal["keep", "end", "complimentary"] | None = None
    ) -> types.Removed:
        """Remove a product's link."""
        found: types.Removed = self._call(
            "DELETE", f"/products/{_part(id)}/link", query={"members": members}
        )
        return found

    def post_member_imports(
        self, body: types.NewMemberImport, *, idempotency_key: str | None = None
    ) -> types.MemberImport:
        """Have a file of members checked. Nobody gets anything yet."""
        found: types.MemberImport = self._call(
            "POST", "/member-imports", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_member_import(self, id: str | int) -> types.MemberImport:
        """Get an import: how far it is, and what comes of its lines."""
        found: types.MemberImport = self._call("GET", f"/member-imports/{_part(id)}")
        return found

    def delete_member_import(self, id: str | int) -> None:
        """Delete an import that hasn't been started, with its lines."""
        self._call("DELETE", f"/member-imports/{_part(id)}")

    def get_member_import_lines(
        self,
        id: str | int,
        *,
        limit: int | None = None,
        after: str | None = None,
        outcome: Literal[
            "given", "has_it", "bought", "left_to_link", "over", "person_only", "refused"
        ]
        | None = None,
    ) -> types.ImportedLineList:
        """List the checked lines in the file's order. They are deleted 30 days after the import."""
        found: types.ImportedLineList = self._call(
            "GET",
            f"/member-imports/{_part(id)}/lines",
            query={"limit": limit, "after": after, "outcome": outcome},
        )
        return found

    def post_member_import_start(
        self, id: str | int, body: types.StartImport, *, idempotency_key: str | None = None
    ) -> types.MemberImport:
        """Have an import done as its preview says. Nobody is emailed."""
        found: types.MemberImport = self._call(
            "POST", f"/member-imports/{_part(id)}/start", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_member_import_undo(self, id: str | int) -> types.UndoPreview:
        """Say what taking an import back comes to: who loses what, and who keeps it."""
        found: types.UndoPreview = self._call("GET", f"/member-imports/{_part(id)}/undo")
        return found

    def post_member_import_undo(
        self, id: str | int, body: types.UndoImport, *, idempotency_key: str | None = None
    ) -> types.MemberImport:
        """Take an import back as its preview says. Nobody is emailed."""
        found: types.MemberImport = self._call(
            "POST", f"/member-imports/{_part(id)}/undo", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_metrics(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        interval: Literal["day", "week", "month"] | None = None,
        product: str | None = None,
        currency: str | None = None,
    ) -> types.MetricSeries:
        """Get members, recurring revenue, churn, trials and one-time revenue over time."""
        found: types.MetricSeries = self._call(
            "GET",
            "/metrics",
            query={
                "since": since,
                "until": until,
                "interval": interval,
                "product": product,
                "currency": currency,
            },
        )
        return found

    def get_pictures(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.PictureList:
        """List the uploaded pictures, with what shows each of them."""
        found: types.PictureList = self._call(
            "GET", "/pictures", query={"limit": limit, "after": after}
        )
        return found

    def post_pictures(
        self,
        file: bytes,
        *,
        use: Literal["photo", "logo", "icon"] | None = None,
        idempotency_key: str | None = None,
    ) -> types.Picture:
        """Upload a picture: PNG, JPEG, WebP, GIF or AVIF, up to 10 MB."""
        found: types.Picture = self._call(
            "POST", "/pictures", query={"use": use}, file=file, idempotency_key=idempotency_key
        )
        return found

    def get_picture(self, id: str | int) -> types.Picture:
        """Get one picture by its id, with what shows it."""
        found: types.Picture = self._call("GET", f"/pictures/{_part(id)}")
        return found

    def delete_picture(self, id: str | int) -> None:
        """Delete a picture that nothing shows."""
        self._call("DELETE", f"/pictures/{_part(id)}")

    def post_picture_replace(
        self, id: str | int, body: types.Replacement, *, idempotency_key: str | None = None
    ) -> types.Picture:
        """Show another uploaded picture wherever this one is shown; answers with the other one."""
        found: types.Picture = self._call(
            "POST", f"/pictures/{_part(id)}/replace", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_policy(self) -> types.Policy:
        """Get the site's access policy."""
        found: types.Policy = self._call("GET", "/policy")
        return found

    def put_policy(self, body: types.PolicyCells | None = None) -> types.Policy:
        """Set the site's access policy."""
        found: types.Policy = self._call("PUT", "/policy", body=body)
        return found

    def post_policy_preview(self, body: types.PolicyCells | None = None) -> types.PolicyPreview:
        """Preview who would gain and who would lose access under this policy. Changes nothing."""
        found: types.PolicyPreview = self._call("POST", "/policy/preview", body=body)
        return found

    def get_policy_change(self, id: str | int) -> types.PolicyChange:
        """Get the progress of a saved policy change."""
        found: types.PolicyChange = self._call("GET", f"/policy/changes/{_part(id)}")
        return found

    def get_product_policy(self, id: str | int) -> types.ProductPolicy:
        """Get a product's access policy: the site's, with the product's own cells."""
        found: types.ProductPolicy = self._call("GET", f"/products/{_part(id)}/policy")
        return found

    def put_product_policy(
        self, id: str | int, body: types.PolicyCells | None = None
    ) -> types.ProductPolicy:
        """Set a product's own cells. Omitted cells follow the site again."""
        found: types.ProductPolicy = self._call("PUT", f"/products/{_part(id)}/policy", body=body)
        return found

    def post_product_policy_preview(
        self, id: str | int, body: types.PolicyCells | None = None
    ) -> types.PolicyPreview:
        """Preview who would gain and who would lose access to a product. Changes nothing."""
        found: types.PolicyPreview = self._call(
            "POST", f"/products/{_part(id)}/policy/preview", body=body
        )
        return found

    def get_products(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.ProductList:
        """List the site's products."""
        found: types.ProductList = self._call(
            "GET", "/products", query={"limit": limit, "after": after}
        )
        return found

    def post_products(
        self, body: types.NewProduct, *, idempotency_key: str | None = None
    ) -> types.Product:
        """Create a product."""
        found: types.Product = self._call(
            "POST", "/products", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_product(self, id: str | int) -> types.Product:
        """Get one product by id or slug."""
        found: types.Product = self._call("GET", f"/products/{_part(id)}")
        return found

    def patch_product(
        self, id: str | int, body: types.ProductChanges | None = None
    ) -> types.Product:
        """Change a product. Null clears the image, the content URL or the external checkout URL."""
        found: types.Product = self._call("PATCH", f"/products/{_part(id)}", body=body)
        return found

    def delete_product(self, id: str | int) -> None:
        """Delete a product and its grants. Its link must be removed first."""
        self._call("DELETE", f"/products/{_part(id)}")

    def get_stripe_products(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        search: str | None = None,
        refresh: bool | None = None,
    ) -> types.StripeProductList:
        """List the account's Stripe products with their active subscriptions."""
        found: types.StripeProductList = self._call(
            "GET",
            "/stripe/products",
            query={"limit": limit, "after": after, "search": search, "refresh": refresh},
        )
        return found

    def get_purchases(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
        price: str | None = None,
        user: int | None = None,
        livemode: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        state: Literal[
            "completed",
            "returned",
            "open",
            "pending",
            "failed",
            "written_off",
            "paid",
            "partly_refunded",
            "refunded",
            "partly_credited",
            "credited",
            "disputed",
            "dispute_lost",
        ]
        | None = None,
        customer: str | None = None,
    ) -> types.PurchaseList:
        """List the one-off purchases of linked Stripe products, newest first."""
        found: types.PurchaseList = self._call(
            "GET",
            "/purchases",
            query={
                "limit": limit,
                "after": after,
                "product": product,
                "price": price,
                "user": user,
                "livemode": livemode,
                "since": since,
                "until": until,
                "search": search,
                "state": state,
                "customer": customer,
            },
        )
        return found

    def get_purchase(self, id: str | int) -> types.Purchase:
        """Get one purchase by the id of its checkout session or invoice."""
        found: types.Purchase = self._call("GET", f"/purchases/{_part(id)}")
        return found

    def get_reconciliations(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.ReconciliationList:
        """List comparisons, newest first."""
        found: types.ReconciliationList = self._call(
            "GET", "/reconciliations", query={"limit": limit, "after": after}
        )
        return found

    def post_reconciliations(
        self, body: types.NewReconciliation, *, idempotency_key: str | None = None
    ) -> types.Reconciliation:
        """Compare grants with Stripe, for one product or for all."""
        found: types.Reconciliation = self._call(
            "POST", "/reconciliations", body=body, idempotency_key=idempotency_key
        )
        return found

    def get_reconciliation(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.Report:
        """Get one comparison with its differences; `next` leads to more of them."""
        found: types.Report = self._call(
            "GET", f"/reconciliations/{_part(id)}", query={"limit": limit, "after": after}
        )
        return found

    def post_reconciliation_repair(
        self, id: str | int, body: types.Choice | None = None, *, idempotency_key: str | None = None
    ) -> types.Reconciliation:
        """Repair selected differences of a comparison, or all safe ones."""
        found: types.Reconciliation = self._call(
            "POST",
            f"/reconciliations/{_part(id)}/repair",
            body=body,
            idempotency_key=idempotency_key,
        )
        return found

    def get_speed(self) -> types.PurchaseSpeed:
        """Get how many purchases of the last four weeks opened what was bought in time."""
        found: types.PurchaseSpeed = self._call("GET", "/speed")
        return found

    def get_subscriptions(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
        price: str | None = None,
        user: int | None = None,
        livemode: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        state: Literal[
            "running",
            "active",
            "trialing",
            "ending",
            "payment_problem",
            "paused",
            "incomplete",
            "ended",
            "other",
        ]
        | None = None,
        customer: str | None = None,
    ) -> types.SubscriptionList:
        """List the subscriptions of linked Stripe products, newest first."""
        found: types.SubscriptionList = self._call(
            "GET",
            "/subscriptions",
            query={
                "limit": limit,
                "after": after,
                "product": product,
                "price": price,
                "user": user,
                "livemode": livemode,
                "since": since,
                "until": until,
                "search": search,
                "state": state,
                "customer": customer,
            },
        )
        return found

    def get_subscription(self, id: str | int) -> types.Subscription:
        """Get one subscription by Stripe's id."""
        found: types.Subscription = self._call("GET", f"/subscriptions/{_part(id)}")
        return found

    def get_team(self, *, limit: int | None = None, after: str | None = None) -> types.Team:
        """List the owners, admins and support, and who has a second factor."""
        found: types.Team = self._call("GET", "/team", query={"limit": limit, "after": after})
        return found

    def get_users(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        search: str | None = None,
        label: str | None = None,
    ) -> types.UserList:
        """List users, newest first, with their Stripe customers and connected accounts."""
        found: types.UserList = self._call(
            "GET",
            "/users",
            query={"limit": limit, "after": after, "search": search, "label": label},
        )
        return found

    def get_user(self, id: str | int) -> types.User:
        """Get one user with their Stripe customers and connected accounts."""
        found: types.User = self._call("GET", f"/users/{_part(id)}")
        return found

    def put_user_labels(self, id: str | int, body: types.Labels) -> types.User:
        """Give a user these labels and no others."""
        found: types.User = self._call("PUT", f"/users/{_part(id)}/labels", body=body)
        return found

    def get_product_grants(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.GrantList:
        """List a product's live grants, newest first."""
        found: types.GrantList = self._call(
            "GET", f"/products/{_part(id)}/grants", query={"limit": limit, "after": after}
        )
        return found

    def post_product_grants(
        self, id: str | int, body: types.NewGrant, *, idempotency_key: str | None = None
    ) -> types.Grant:
        """Give a person complimentary access."""
        found: types.Grant = self._call(
            "POST", f"/products/{_part(id)}/grants", body=body, idempotency_key=idempotency_key
        )
        return found

    def delete_grant(self, id: str | int) -> types.Grant:
        """End a grant now."""
        found: types.Grant = self._call("DELETE", f"/grants/{_part(id)}")
        return found

    def post_grant_lift(self, id: str | int, *, idempotency_key: str | None = None) -> types.Grant:
        """Lift the hold on a grant that was ended by hand."""
        found: types.Grant = self._call(
            "POST", f"/grants/{_part(id)}/lift", idempotency_key=idempotency_key
        )
        return found


class AsyncCalls(ABC):
    """The calls. They raise `ApiError` and `UnavailableError`."""

    @abstractmethod
    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        file: bytes | None = None,
        idempotency_key: str | None = None,
    ) -> Any:
        """Send a request; what the site answered."""

    async def get_access(
        self, *, product: str, email: str | None = None, user: int | None = None
    ) -> types.Access:
        """Whether a person may open a product now."""
        found: types.Access = await self._call(
            "GET", "/access", query={"product": product, "email": email, "user": user}
        )
        return found

    async def post_access(self, body: types.Who) -> types.Access:
        """Whether a person may open a product now, asked with a body."""
        found: types.Access = await self._call("POST", "/access", body=body)
        return found

    async def get_why(
        self, *, product: str, email: str | None = None, user: int | None = None
    ) -> types.Why:
        """The full chain behind an access decision."""
        found: types.Why = await self._call(
            "GET", "/why", query={"product": product, "email": email, "user": user}
        )
        return found

    async def get_product_access(
        self, id: str | int, *, on: str, limit: int | None = None, after: str | None = None
    ) -> types.SpanList:
        """Who had access to a product at any time on a given day, one entry per grant."""
        found: types.SpanList = await self._call(
            "GET", f"/products/{_part(id)}/access", query={"limit": limit, "after": after, "on": on}
        )
        return found

    async def get_user_access(
        self,
        id: str | int,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
    ) -> types.SpanList:
        """A user's access over time, newest grant first."""
        found: types.SpanList = await self._call(
            "GET",
            f"/users/{_part(id)}/access",
            query={"limit": limit, "after": after, "product": product},
        )
        return found

    async def post_access_tokens(self, body: types.TokenRequest) -> types.AccessToken:
        """Sign a token that says that a person may open a product now."""
        found: types.AccessToken = await self._call("POST", "/access-tokens", body=body)
        return found

    async def get_audit(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        actor: str | None = None,
        action: Literal[
            "signed_in",
            "sign_in_failed",
            "second_factor_asked",
            "signed_out",
            "sessions_ended",
            "factor_added",
            "factor_removed",
            "recovery_codes_renewed",
            "password_changed",
            "email_change_asked",
            "email_changed",
            "purchase_claimed",
            "portal_opened",
            "checkout_opened",
            "page_denied",
            "forged_form",
            "token_denied",
            "scope_denied",
            "token_created",
            "token_revoked",
            "client_created",
            "client_changed",
            "client_deleted",
            "client_secret_created",
            "client_secret_revoked",
            "protected_site_added",
            "protected_site_changed",
            "protected_site_removed",
            "consent_given",
            "consent_withdrawn",
            "exported",
            "impersonation_started",
            "impersonation_ended",
            "settings_changed",
            "mail_settings_changed",
            "role_changed",
            "owner_recovered",
            "connection_changed",
            "connection_removed",
            "connection_repaired",
            "policy_changed",
            "product_created",
            "product_changed",
            "product_deleted",
            "categories_changed",
            "collection_created",
            "collection_changed",
            "collection_deleted",
            "lessons_changed",
            "lesson_deleted",
            "sales_page_changed",
            "sales_page_deleted",
            "checkout_changed",
            "link_changed",
            "link_removed",
            "access_given",
            "access_ended",
            "hold_lifted",
            "users_imported",
            "users_welcomed",
            "import_undone",
            "users_merged",
            "merge_asked",
            "merge_agreed",
            "merge_declined",
            "merge_undone",
            "purchase_assigned",
            "match_dismissed",
            "second_subscription_allowed",
            "user_erased",
            "labels_changed",
            "picture_replaced",
            "picture_deleted",
            "note_added",
            "note_deleted",
            "link_mailed",
            "mail_resent",
            "reminder_sent",
            "invited_back",
            "promotion_made",
            "event_resent",
            "event_ignored",
            "comparison_started",
            "repair_started",
            "secrets_rotated",
            "site_adopted",
            "site_restored",
            "site_scrubbed",
            "community_added",
            "community_changed",
            "community_removed",
            "community_joined",
            "community_left",
            "webhook_added",
            "webhook_changed",
            "webhook_secret_renewed",
            "webhook_deleted",
            "webhooks_resent",
        ]
        | None = None,
        since: str | None = None,
    ) -> types.AuditEventList:
        """List the audit log, newest first: who did what, from where, and what came of it."""
        found: types.AuditEventList = await self._call(
            "GET",
            "/audit",
            query={
                "limit": limit,
                "after": after,
                "actor": actor,
                "action": action,
                "since": since,
            },
        )
        return found

    async def put_product_checkout(
        self, id: str | int, body: types.CheckoutChoice
    ) -> types.Checkout:
        """Turn a product's checkout on, with a price, or off."""
        found: types.Checkout = await self._call(
            "PUT", f"/products/{_part(id)}/checkout", body=body
        )
        return found

    async def get_product_checkout(self, id: str | int) -> types.Checkout:
        """Get a product's checkout and its payment link."""
        found: types.Checkout = await self._call("GET", f"/products/{_part(id)}/checkout")
        return found

    async def get_product_prices(self, id: str | int) -> types.PriceList:
        """List the prices that a product is sold at, in order."""
        found: types.PriceList = await self._call("GET", f"/products/{_part(id)}/prices")
        return found

    async def put_product_prices(self, id: str | int, body: types.OfferedPrices) -> types.PriceList:
        """Set the prices that a product is sold at, in order; none turns its checkout off."""
        found: types.PriceList = await self._call("PUT", f"/products/{_part(id)}/prices", body=body)
        return found

    async def post_portal_sessions(
        self, body: types.PortalFor, *, idempotency_key: str | None = None
    ) -> types.PortalSession:
        """Create a session of Stripe's customer portal."""
        found: types.PortalSession = await self._call(
            "POST", "/portal-sessions", body=body, idempotency_key=idempotency_key
        )
        return found

    async def post_checkout_sessions(
        self, body: types.CheckoutFor, *, idempotency_key: str | None = None
    ) -> types.CheckoutSession:
        """Create a checkout session for a price that the product is sold at."""
        found: types.CheckoutSession = await self._call(
            "POST", "/checkout-sessions", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_collections(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.CollectionList:
        """List the site's collections by name."""
        found: types.CollectionList = await self._call(
            "GET", "/collections", query={"limit": limit, "after": after}
        )
        return found

    async def post_collections(
        self, body: types.NewCollection, *, idempotency_key: str | None = None
    ) -> types.Collection:
        """Create a collection."""
        found: types.Collection = await self._call(
            "POST", "/collections", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_collection(self, id: str | int) -> types.Collection:
        """Get one collection."""
        found: types.Collection = await self._call("GET", f"/collections/{_part(id)}")
        return found

    async def patch_collection(
        self, id: str | int, body: types.CollectionChanges | None = None
    ) -> types.Collection:
        """Change a collection. Whoever has it gains added products and loses removed ones."""
        found: types.Collection = await self._call("PATCH", f"/collections/{_part(id)}", body=body)
        return found

    async def delete_collection(self, id: str | int) -> None:
        """Delete a collection. The access it gave ends."""
        await self._call("DELETE", f"/collections/{_part(id)}")

    async def get_collection_grants(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.HolderList:
        """List the people who have a collection, newest first."""
        found: types.HolderList = await self._call(
            "GET", f"/collections/{_part(id)}/grants", query={"limit": limit, "after": after}
        )
        return found

    async def post_collection_grants(
        self, id: str | int, body: types.NewGrant, *, idempotency_key: str | None = None
    ) -> types.Holder:
        """Give a person a collection. Giving it again changes its end and reason."""
        found: types.Holder = await self._call(
            "POST", f"/collections/{_part(id)}/grants", body=body, idempotency_key=idempotency_key
        )
        return found

    async def delete_collection_grant(self, id: str | int, holder: str | int) -> None:
        """Take a collection from a person, with the access it gave."""
        await self._call("DELETE", f"/collections/{_part(id)}/grants/{_part(holder)}")

    async def post_product_grants_bulk(
        self, id: str | int, body: types.Gifts, *, idempotency_key: str | None = None
    ) -> types.GiftsDone:
        """Give many people complimentary access, up to 1,000 at once."""
        found: types.GiftsDone = await self._call(
            "POST", f"/products/{_part(id)}/grants/bulk", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_customers(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
        price: str | None = None,
        user: int | None = None,
        livemode: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        state: Literal["known", "unknown", "deleted"] | None = None,
    ) -> types.CustomerList:
        """List the Stripe customers who bought something that is linked, newest first."""
        found: types.CustomerList = await self._call(
            "GET",
            "/customers",
            query={
                "limit": limit,
                "after": after,
                "product": product,
                "price": price,
                "user": user,
                "livemode": livemode,
                "since": since,
                "until": until,
                "search": search,
                "state": state,
            },
        )
        return found

    async def get_customer(self, id: str | int) -> types.BillingCustomer:
        """Get one customer by Stripe's id."""
        found: types.BillingCustomer = await self._call("GET", f"/customers/{_part(id)}")
        return found

    async def get_activities(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        type: str | None = None,
        user: int | None = None,
        product: str | None = None,
        cause: str | None = None,
        since: str | None = None,
    ) -> types.ActivityList:
        """List the activity feed, newest first, with exactly one line per fact."""
        found: types.ActivityList = await self._call(
            "GET",
            "/activities",
            query={
                "limit": limit,
                "after": after,
                "type": type,
                "user": user,
                "product": product,
                "cause": cause,
                "since": since,
            },
        )
        return found

    async def get_matches(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        state: Literal["open", "accepted", "dismissed", "settled"] | None = None,
    ) -> types.MatchList:
        """List identity matches to review, newest first."""
        found: types.MatchList = await self._call(
            "GET", "/matches", query={"limit": limit, "after": after, "state": state}
        )
        return found

    async def post_match_accept(
        self,
        id: str | int,
        body: types.Acceptance | None = None,
        *,
        idempotency_key: str | None = None,
    ) -> types.Match:
        """Accept a match: ask to merge the two users, or assign the purchase to `email`."""
        found: types.Match = await self._call(
            "POST", f"/matches/{_part(id)}/accept", body=body, idempotency_key=idempotency_key
        )
        return found

    async def post_match_dismiss(
        self, id: str | int, *, idempotency_key: str | None = None
    ) -> types.Match:
        """Dismiss a match. Nothing changes, and the same doubt isn't raised again."""
        found: types.Match = await self._call(
            "POST", f"/matches/{_part(id)}/dismiss", idempotency_key=idempotency_key
        )
        return found

    async def post_user_merge(
        self, id: str | int, body: types.MergeWith, *, idempotency_key: str | None = None
    ) -> types.Merge:
        """Merge another user into this one without asking its owner."""
        found: types.Merge = await self._call(
            "POST", f"/users/{_part(id)}/merge", body=body, idempotency_key=idempotency_key
        )
        return found

    async def post_user_merge_requests(
        self, id: str | int, body: types.AskToMerge, *, idempotency_key: str | None = None
    ) -> types.MergeRequest:
        """Ask the owners of this user and another one to agree to a merge."""
        found: types.MergeRequest = await self._call(
            "POST", f"/users/{_part(id)}/merge-requests", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_user_merge_requests(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.MergeRequestList:
        """List the requests to merge this user with another one, newest first."""
        found: types.MergeRequestList = await self._call(
            "GET", f"/users/{_part(id)}/merge-requests", query={"limit": limit, "after": after}
        )
        return found

    async def get_user_merges(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.PastMergeList:
        """List the users who were merged into this one, newest first."""
        found: types.PastMergeList = await self._call(
            "GET", f"/users/{_part(id)}/merges", query={"limit": limit, "after": after}
        )
        return found

    async def post_user_unmerge(
        self, id: str | int, *, idempotency_key: str | None = None
    ) -> types.Merge:
        """Undo the merge of this user into another one."""
        found: types.Merge = await self._call(
            "POST", f"/users/{_part(id)}/unmerge", idempotency_key=idempotency_key
        )
        return found

    async def get_user_addresses(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.AddressList:
        """List a user's additional addresses, whether claimed or from a merge."""
        found: types.AddressList = await self._call(
            "GET", f"/users/{_part(id)}/addresses", query={"limit": limit, "after": after}
        )
        return found

    async def get_events(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        state: Literal["waiting", "relayed", "handled", "ignored", "failed"] | None = None,
        type: str | None = None,
        object: str | None = None,
    ) -> types.EventList:
        """List the inbox, newest first."""
        found: types.EventList = await self._call(
            "GET",
            "/events",
            query={"limit": limit, "after": after, "state": state, "type": type, "object": object},
        )
        return found

    async def get_event(self, id: str | int) -> types.WholeEvent:
        """Get one event with what Stripe sent."""
        found: types.WholeEvent = await self._call("GET", f"/events/{_part(id)}")
        return found

    async def post_event_resend(
        self, id: str | int, *, idempotency_key: str | None = None
    ) -> types.Event:
        """Process an event again. Harmless if it was already processed."""
        found: types.Event = await self._call(
            "POST", f"/events/{_part(id)}/resend", idempotency_key=idempotency_key
        )
        return found

    async def post_event_ignore(
        self, id: str | int, body: types.Ignoring, *, idempotency_key: str | None = None
    ) -> types.Event:
        """Ignore a failed event, with the reason why nothing needs to be done."""
        found: types.Event = await self._call(
            "POST", f"/events/{_part(id)}/ignore", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_product_lessons(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.LessonList:
        """List a product's lessons in their order, drafts included."""
        found: types.LessonList = await self._call(
            "GET", f"/products/{_part(id)}/lessons", query={"limit": limit, "after": after}
        )
        return found

    async def post_product_lessons(
        self, id: str | int, body: types.NewLesson, *, idempotency_key: str | None = None
    ) -> types.Lesson:
        """Create a lesson after the others. A product can have up to 200."""
        found: types.Lesson = await self._call(
            "POST", f"/products/{_part(id)}/lessons", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_product_lesson(self, id: str | int, lesson: str | int) -> types.Lesson:
        """Get one lesson with its text."""
        found: types.Lesson = await self._call(
            "GET", f"/products/{_part(id)}/lessons/{_part(lesson)}"
        )
        return found

    async def patch_product_lesson(
        self, id: str | int, lesson: str | int, body: types.LessonChanges | None = None
    ) -> types.Lesson:
        """Change a lesson. Null clears the address of the video."""
        found: types.Lesson = await self._call(
            "PATCH", f"/products/{_part(id)}/lessons/{_part(lesson)}", body=body
        )
        return found

    async def delete_product_lesson(self, id: str | int, lesson: str | int) -> None:
        """Delete a lesson, with its files and the marks of those who have done it."""
        await self._call("DELETE", f"/products/{_part(id)}/lessons/{_part(lesson)}")

    async def put_product_lesson_order(
        self, id: str | int, body: types.LessonOrder
    ) -> types.LessonList:
        """Put a product's lessons in another order."""
        found: types.LessonList = await self._call(
            "PUT", f"/products/{_part(id)}/lesson-order", body=body
        )
        return found

    async def post_product_link_preview(
        self, id: str | int, body: types.PreviewOf
    ) -> types.Preview:
        """Preview who a link would affect, and why. Changes nothing."""
        found: types.Preview = await self._call(
            "POST", f"/products/{_part(id)}/link/preview", body=body
        )
        return found

    async def put_product_link(self, id: str | int, body: types.LinkTo) -> types.Link:
        """Link a product to a Stripe product."""
        found: types.Link = await self._call("PUT", f"/products/{_part(id)}/link", body=body)
        return found

    async def get_product_link(self, id: str | int) -> types.Link:
        """Get a product's link and the progress of its import."""
        found: types.Link = await self._call("GET", f"/products/{_part(id)}/link")
        return found

    async def delete_product_link(
        self, id: str | int, *, members: Literal["keep", "end", "complimentary"] | None = None
    ) -> types.Removed:
        """Remove a product's link."""
        found: types.Removed = await self._call(
            "DELETE", f"/products/{_part(id)}/link", query={"members": members}
        )
        return found

    async def post_member_imports(
        self, body: types.NewMemberImport, *, idempotency_key: str | None = None
    ) -> types.MemberImport:
        """Have a file of members checked. Nobody gets anything yet."""
        found: types.MemberImport = await self._call(
            "POST", "/member-imports", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_member_import(self, id: str | int) -> types.MemberImport:
        """Get an import: how far it is, and what comes of its lines."""
        found: types.MemberImport = await self._call("GET", f"/member-imports/{_part(id)}")
        return found

    async def delete_member_import(self, id: str | int) -> None:
        """Delete an import that hasn't been started, with its lines."""
        await self._call("DELETE", f"/member-imports/{_part(id)}")

    async def get_member_import_lines(
        self,
        id: str | int,
        *,
        limit: int | None = None,
        after: str | None = None,
        outcome: Literal[
            "given", "has_it", "bought", "left_to_link", "over", "person_only", "refused"
        ]
        | None = None,
    ) -> types.ImportedLineList:
        """List the checked lines in the file's order. They are deleted 30 days after the import."""
        found: types.ImportedLineList = await self._call(
            "GET",
            f"/member-imports/{_part(id)}/lines",
            query={"limit": limit, "after": after, "outcome": outcome},
        )
        return found

    async def post_member_import_start(
        self, id: str | int, body: types.StartImport, *, idempotency_key: str | None = None
    ) -> types.MemberImport:
        """Have an import done as its preview says. Nobody is emailed."""
        found: types.MemberImport = await self._call(
            "POST", f"/member-imports/{_part(id)}/start", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_member_import_undo(self, id: str | int) -> types.UndoPreview:
        """Say what taking an import back comes to: who loses what, and who keeps it."""
        found: types.UndoPreview = await self._call("GET", f"/member-imports/{_part(id)}/undo")
        return found

    async def post_member_import_undo(
        self, id: str | int, body: types.UndoImport, *, idempotency_key: str | None = None
    ) -> types.MemberImport:
        """Take an import back as its preview says. Nobody is emailed."""
        found: types.MemberImport = await self._call(
            "POST", f"/member-imports/{_part(id)}/undo", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_metrics(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        interval: Literal["day", "week", "month"] | None = None,
        product: str | None = None,
        currency: str | None = None,
    ) -> types.MetricSeries:
        """Get members, recurring revenue, churn, trials and one-time revenue over time."""
        found: types.MetricSeries = await self._call(
            "GET",
            "/metrics",
            query={
                "since": since,
                "until": until,
                "interval": interval,
                "product": product,
                "currency": currency,
            },
        )
        return found

    async def get_pictures(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.PictureList:
        """List the uploaded pictures, with what shows each of them."""
        found: types.PictureList = await self._call(
            "GET", "/pictures", query={"limit": limit, "after": after}
        )
        return found

    async def post_pictures(
        self,
        file: bytes,
        *,
        use: Literal["photo", "logo", "icon"] | None = None,
        idempotency_key: str | None = None,
    ) -> types.Picture:
        """Upload a picture: PNG, JPEG, WebP, GIF or AVIF, up to 10 MB."""
        found: types.Picture = await self._call(
            "POST", "/pictures", query={"use": use}, file=file, idempotency_key=idempotency_key
        )
        return found

    async def get_picture(self, id: str | int) -> types.Picture:
        """Get one picture by its id, with what shows it."""
        found: types.Picture = await self._call("GET", f"/pictures/{_part(id)}")
        return found

    async def delete_picture(self, id: str | int) -> None:
        """Delete a picture that nothing shows."""
        await self._call("DELETE", f"/pictures/{_part(id)}")

    async def post_picture_replace(
        self, id: str | int, body: types.Replacement, *, idempotency_key: str | None = None
    ) -> types.Picture:
        """Show another uploaded picture wherever this one is shown; answers with the other one."""
        found: types.Picture = await self._call(
            "POST", f"/pictures/{_part(id)}/replace", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_policy(self) -> types.Policy:
        """Get the site's access policy."""
        found: types.Policy = await self._call("GET", "/policy")
        return found

    async def put_policy(self, body: types.PolicyCells | None = None) -> types.Policy:
        """Set the site's access policy."""
        found: types.Policy = await self._call("PUT", "/policy", body=body)
        return found

    async def post_policy_preview(
        self, body: types.PolicyCells | None = None
    ) -> types.PolicyPreview:
        """Preview who would gain and who would lose access under this policy. Changes nothing."""
        found: types.PolicyPreview = await self._call("POST", "/policy/preview", body=body)
        return found

    async def get_policy_change(self, id: str | int) -> types.PolicyChange:
        """Get the progress of a saved policy change."""
        found: types.PolicyChange = await self._call("GET", f"/policy/changes/{_part(id)}")
        return found

    async def get_product_policy(self, id: str | int) -> types.ProductPolicy:
        """Get a product's access policy: the site's, with the product's own cells."""
        found: types.ProductPolicy = await self._call("GET", f"/products/{_part(id)}/policy")
        return found

    async def put_product_policy(
        self, id: str | int, body: types.PolicyCells | None = None
    ) -> types.ProductPolicy:
        """Set a product's own cells. Omitted cells follow the site again."""
        found: types.ProductPolicy = await self._call(
            "PUT", f"/products/{_part(id)}/policy", body=body
        )
        return found

    async def post_product_policy_preview(
        self, id: str | int, body: types.PolicyCells | None = None
    ) -> types.PolicyPreview:
        """Preview who would gain and who would lose access to a product. Changes nothing."""
        found: types.PolicyPreview = await self._call(
            "POST", f"/products/{_part(id)}/policy/preview", body=body
        )
        return found

    async def get_products(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.ProductList:
        """List the site's products."""
        found: types.ProductList = await self._call(
            "GET", "/products", query={"limit": limit, "after": after}
        )
        return found

    async def post_products(
        self, body: types.NewProduct, *, idempotency_key: str | None = None
    ) -> types.Product:
        """Create a product."""
        found: types.Product = await self._call(
            "POST", "/products", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_product(self, id: str | int) -> types.Product:
        """Get one product by id or slug."""
        found: types.Product = await self._call("GET", f"/products/{_part(id)}")
        return found

    async def patch_product(
        self, id: str | int, body: types.ProductChanges | None = None
    ) -> types.Product:
        """Change a product. Null clears the image, the content URL or the external checkout URL."""
        found: types.Product = await self._call("PATCH", f"/products/{_part(id)}", body=body)
        return found

    async def delete_product(self, id: str | int) -> None:
        """Delete a product and its grants. Its link must be removed first."""
        await self._call("DELETE", f"/products/{_part(id)}")

    async def get_stripe_products(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        search: str | None = None,
        refresh: bool | None = None,
    ) -> types.StripeProductList:
        """List the account's Stripe products with their active subscriptions."""
        found: types.StripeProductList = await self._call(
            "GET",
            "/stripe/products",
            query={"limit": limit, "after": after, "search": search, "refresh": refresh},
        )
        return found

    async def get_purchases(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
        price: str | None = None,
        user: int | None = None,
        livemode: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        state: Literal[
            "completed",
            "returned",
            "open",
            "pending",
            "failed",
            "written_off",
            "paid",
            "partly_refunded",
            "refunded",
            "partly_credited",
            "credited",
            "disputed",
            "dispute_lost",
        ]
        | None = None,
        customer: str | None = None,
    ) -> types.PurchaseList:
        """List the one-off purchases of linked Stripe products, newest first."""
        found: types.PurchaseList = await self._call(
            "GET",
            "/purchases",
            query={
                "limit": limit,
                "after": after,
                "product": product,
                "price": price,
                "user": user,
                "livemode": livemode,
                "since": since,
                "until": until,
                "search": search,
                "state": state,
                "customer": customer,
            },
        )
        return found

    async def get_purchase(self, id: str | int) -> types.Purchase:
        """Get one purchase by the id of its checkout session or invoice."""
        found: types.Purchase = await self._call("GET", f"/purchases/{_part(id)}")
        return found

    async def get_reconciliations(
        self, *, limit: int | None = None, after: str | None = None
    ) -> types.ReconciliationList:
        """List comparisons, newest first."""
        found: types.ReconciliationList = await self._call(
            "GET", "/reconciliations", query={"limit": limit, "after": after}
        )
        return found

    async def post_reconciliations(
        self, body: types.NewReconciliation, *, idempotency_key: str | None = None
    ) -> types.Reconciliation:
        """Compare grants with Stripe, for one product or for all."""
        found: types.Reconciliation = await self._call(
            "POST", "/reconciliations", body=body, idempotency_key=idempotency_key
        )
        return found

    async def get_reconciliation(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.Report:
        """Get one comparison with its differences; `next` leads to more of them."""
        found: types.Report = await self._call(
            "GET", f"/reconciliations/{_part(id)}", query={"limit": limit, "after": after}
        )
        return found

    async def post_reconciliation_repair(
        self, id: str | int, body: types.Choice | None = None, *, idempotency_key: str | None = None
    ) -> types.Reconciliation:
        """Repair selected differences of a comparison, or all safe ones."""
        found: types.Reconciliation = await self._call(
            "POST",
            f"/reconciliations/{_part(id)}/repair",
            body=body,
            idempotency_key=idempotency_key,
        )
        return found

    async def get_speed(self) -> types.PurchaseSpeed:
        """Get how many purchases of the last four weeks opened what was bought in time."""
        found: types.PurchaseSpeed = await self._call("GET", "/speed")
        return found

    async def get_subscriptions(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        product: str | None = None,
        price: str | None = None,
        user: int | None = None,
        livemode: bool | None = None,
        since: str | None = None,
        until: str | None = None,
        search: str | None = None,
        state: Literal[
            "running",
            "active",
            "trialing",
            "ending",
            "payment_problem",
            "paused",
            "incomplete",
            "ended",
            "other",
        ]
        | None = None,
        customer: str | None = None,
    ) -> types.SubscriptionList:
        """List the subscriptions of linked Stripe products, newest first."""
        found: types.SubscriptionList = await self._call(
            "GET",
            "/subscriptions",
            query={
                "limit": limit,
                "after": after,
                "product": product,
                "price": price,
                "user": user,
                "livemode": livemode,
                "since": since,
                "until": until,
                "search": search,
                "state": state,
                "customer": customer,
            },
        )
        return found

    async def get_subscription(self, id: str | int) -> types.Subscription:
        """Get one subscription by Stripe's id."""
        found: types.Subscription = await self._call("GET", f"/subscriptions/{_part(id)}")
        return found

    async def get_team(self, *, limit: int | None = None, after: str | None = None) -> types.Team:
        """List the owners, admins and support, and who has a second factor."""
        found: types.Team = await self._call("GET", "/team", query={"limit": limit, "after": after})
        return found

    async def get_users(
        self,
        *,
        limit: int | None = None,
        after: str | None = None,
        search: str | None = None,
        label: str | None = None,
    ) -> types.UserList:
        """List users, newest first, with their Stripe customers and connected accounts."""
        found: types.UserList = await self._call(
            "GET",
            "/users",
            query={"limit": limit, "after": after, "search": search, "label": label},
        )
        return found

    async def get_user(self, id: str | int) -> types.User:
        """Get one user with their Stripe customers and connected accounts."""
        found: types.User = await self._call("GET", f"/users/{_part(id)}")
        return found

    async def put_user_labels(self, id: str | int, body: types.Labels) -> types.User:
        """Give a user these labels and no others."""
        found: types.User = await self._call("PUT", f"/users/{_part(id)}/labels", body=body)
        return found

    async def get_product_grants(
        self, id: str | int, *, limit: int | None = None, after: str | None = None
    ) -> types.GrantList:
        """List a product's live grants, newest first."""
        found: types.GrantList = await self._call(
            "GET", f"/products/{_part(id)}/grants", query={"limit": limit, "after": after}
        )
        return found

    async def post_product_grants(
        self, id: str | int, body: types.NewGrant, *, idempotency_key: str | None = None
    ) -> types.Grant:
        """Give a person complimentary access."""
        found: types.Grant = await self._call(
            "POST", f"/products/{_part(id)}/grants", body=body, idempotency_key=idempotency_key
        )
        return found

    async def delete_grant(self, id: str | int) -> types.Grant:
        """End a grant now."""
        found: types.Grant = await self._call("DELETE", f"/grants/{_part(id)}")
        return found

    async def post_grant_lift(
        self, id: str | int, *, idempotency_key: str | None = None
    ) -> types.Grant:
        """Lift the hold on a grant that was ended by hand."""
        found: types.Grant = await self._call(
            "POST", f"/grants/{_part(id)}/lift", idempotency_key=idempotency_key
        )
        return found
