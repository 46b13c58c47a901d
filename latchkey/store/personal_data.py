"""Every column of the database: whether it says something about a person, and what
`latchkey scrub` puts in its place. A column that isn't named here fails a test."""

from collections.abc import Mapping

ADDRESS = "case when p.number is null then null else 'person' || p.number || '@' || d.domain end"
NAME = "case when t.name is null then null else concat('Person ', p.number) end"
NOTHING = "null"
WORDS = "pg_temp.words_of(t.{column})"
"""JSON without the texts in it that somebody wrote."""

EMPTIED = frozenset(
    {
        "abandoned_checkouts",
        "address_proofs",
        "api_tokens",
        "audit_log",
        "authenticator_apps",
        "checkout_attempts",
        "claims",
        "communities",
        "community_accounts",
        "community_given",
        "community_roles",
        "differences",
        "email_changes",
        "idempotency_keys",
        "mails",
        "matches",
        "mail_server",
        "member_import_lines",
        "member_imports",
        "merge_requests",
        "oauth_authorizations",
        "oauth_client_secrets",
        "oauth_consents",
        "oauth_logouts",
        "oauth_requests",
        "oauth_tokens",
        "other_payers",
        "passkey_challenges",
        "passkeys",
        "preview_records",
        "processes",
        "reconciliation_seen",
        "recovery_codes",
        "sessions",
        "signing_keys",
        "site_entries",
        "tries",
        "unsubscribed_addresses",
        "used_links",
        "user_imports",
        "user_labels",
        "user_merges",
        "user_notes",
        "wakeups",
        "webhook_attempts",
        "webhook_deliveries",
        "webhook_endpoints",
        "webhook_events",
        "webhook_facts",
    }
)
"""Tables of which nothing is left: what they hold is a secret, a text that somebody wrote, or work
that the original does."""

REPLACED: Mapping[str, Mapping[str, str]] = {
    "users": {
        "email": "coalesce(" + ADDRESS + ", t.email)",
        "email_key": "coalesce(" + ADDRESS + ", t.email_key)",
        "name": NAME,
        "password_hash": NOTHING,
    },
    "user_addresses": {"email": ADDRESS, "email_key": ADDRESS},
    "customers": {"email": ADDRESS, "email_key": ADDRESS, "name": NAME},
    "orders": {"email": ADDRESS, "email_key": ADDRESS, "name": NAME},
    "activities": {
        "fact": "case when t.type = 'signed_in' then 'signed_in:' || t.id else t.fact end",
        "data": WORDS,
    },
    "grants": {"reason": NOTHING},
    "subscriptions": {
        "cancel_comment": NOTHING,
        "card_id": NOTHING,
        "card_brand": NOTHING,
        "card_last4": NOTHING,
        "card_expires": NOTHING,
    },
    "collection_holders": {"reason": NOTHING},
    "events": {"body": NOTHING, "error": NOTHING, "ignored_reason": NOTHING},
    "links": {"error": NOTHING},
    "offers": {"error": NOTHING},
    "payment_links": {"error": NOTHING},
    "previews": {"error": NOTHING},
    "reconciliations": {"error": NOTHING},
    "site_settings": {
        "value": "t.value - array['mail_from', 'reply_to', 'sender_name']",
    },
    "stripe_connection": {
        "state": "default",
        "account_name": NOTHING,
        "key_fingerprint": NOTHING,
        "key_encrypted": NOTHING,
        "findings": "default",
        "error": NOTHING,
        "endpoint_id": NOTHING,
        "endpoint_url": NOTHING,
        "endpoint_state": "default",
        "endpoint_error": NOTHING,
        "endpoint_found": NOTHING,
        "secrets_encrypted": NOTHING,
    },
}
"""By table and column, what stands there afterwards: an expression over the row `t`, its person `p`
and the made-up domain `d`. The same address becomes the same one everywhere."""

KEPT: Mapping[str, str] = {
    "users": (
        "id role created_at last_seen_at mails_off mails_on erased_at link_epoch proven_at locale"
    ),
    "user_addresses": "user_id source added_at proven_at",
    "customers": (
        "id account_id livemode user_id bound_by deleted ticket read_at erased billing_user"
        " portal_opened_at customer_account added_at"
    ),
    "orders": (
        "id account_id livemode customer_id user_id state payment_intent invoice subscription_id"
        " currency amount amount_refunded disputed dispute_status dispute_amount dispute_currency"
        " created_at paid_at ticket read_at"
        " charged refunded money_changes compared_at credited_before credited_after written_off"
        " money_state"
    ),
    "activities": (
        "id type at cause user_id product_id source_id event_id workflow_id actor_id recorded_at"
        " due_at"
    ),
    "grants": (
        "id user_id product_id source source_id link_id account_id livemode since until ended_at"
        " end_reason cause granted_by created_at held due_at bought_at"
    ),
    "collection_holders": "id collection_id user_id since until ended_at granted_by",
    "events": (
        "id seq account_id livemode type object_id thin api_version created_at received_at"
        " target_kind target_id checkout_session state attempts not_before handled_at source"
        " failed_at ignored_by relayed_at requested cancels trace"
    ),
    "links": (
        "id product_id account_id livemode stripe_product create_params state mail members progress"
        " created_by created_at listening_at removed_at dispatched_at invoices"
    ),
    "offers": (
        "product_id account_id livemode price_id created_at position label featured trial_days most"
        " billing_address tax_ids promotion_codes automatic_tax"
    ),
    "payment_links": (
        "id product_id account_id livemode price_id wanted stripe_id url active promotion_codes"
        " settled told_at created_at retired_at ticket spent"
    ),
    "previews": "id product_id stripe_product state dispatched_at created_at",
    "reconciliations": (
        "id product_id repair cause state progress requested_by created_at started_at compared_at"
        " finished_at dispatched_at"
    ),
    "site_settings": "key updated_at",
    "stripe_connection": (
        "singleton account_id livemode dispatched_at checked_at updated_at endpoint_checked_at"
        " connected_at country"
    ),
    "bills": (
        "id subscription_id amount_refunded dispute_status dispute_amount dispute_currency"
        " money_changes ticket credited_after"
    ),
    "catch_up": ("part account_id since anchor_id anchor_at looked_at found found_at livemode"),
    "categories": "id name position created_at",
    "chores": "name position done_at",
    "collection_products": "collection_id product_id added_at",
    "collections": "id name description created_at",
    "lesson_file_parts": "file_id part body",
    "lesson_files": "id lesson_id name size digest created_at",
    "lesson_marks": "user_id lesson_id done_at",
    "lessons": (
        "id product_id position title body video_url released_after_days status created_at"
        " updated_at"
    ),
    "oauth_clients": (
        "id name confidential first_party pkce redirect_uris post_logout_redirect_uris"
        " backchannel_logout_uri scopes product_required product_id created_at"
    ),
    "figure_cohorts": "product_id cohort month people joined",
    "figure_counts": "singleton counted_at took",
    "figure_days": "product_id day kind currency people amount",
    "forgotten_facts": "digest",
    "order_lines": "order_id id stripe_product price_id quantity amount",
    "passed_over": "id ticket at",
    "policy_changes": (
        "id product_id before after state checked granted ended created_by created_at finished_at"
    ),
    "portal_configurations": "account_id livemode stripe_id fingerprint updated_at",
    "past_spans": (
        "subscription_id item_id account_id livemode customer_id stripe_product price_id quantity"
        " discount trial since until recorded_at"
    ),
    "prices": (
        "id account_id livemode stripe_product active type currency unit_amount interval"
        " interval_count nickname created_at ticket"
    ),
    "product_categories": "product_id category_id",
    "products": (
        "id slug name description image_url status access_mode access_mail content content_url"
        " created_at updated_at policy_overrides purchase_method checkout_target external_url"
        " promotion_codes show_locked sale_asked_at sale_read_at one_trial opens_collection"
    ),
    "protected_site_products": "site_id product_id",
    "mail_texts": "variant language subject body updated_at",
    "page_texts": "place language heading body updated_at",
    "picture_files": "digest name body",
    "pictures": "digest created_at used_at",
    "protected_sites": "id origin without_access created_at asked_at",
    "recurring_spans": (
        "id subscription_id item_id stripe_product price_id quantity trial since until recorded_at"
        " imported discount"
    ),
    "sales_pages": (
        "product_id status headline body image_url price_line button edition created_at updated_at"
        " blocks"
    ),
    "schema_migrations": "name applied_at oldest_release",
    "second_subscriptions": "subscription_id product_id allowed_at noticed_at",
    "sent_events": "type event_id created_at",
    "stripe_products": (
        "id account_id livemode name description image_url active deleted active_subscriptions"
        " counted_at created_at ticket read_at"
    ),
    "stripe_rate": "only_row level refilled_at factor limited_at paused_until",
    "subscription_items": (
        "subscription_id id stripe_product price_id quantity period_end period_start discount"
    ),
    "subscriptions": (
        "id account_id livemode customer_id user_id status scheduled_end cancellations period_end"
        " trial_end past_due_since collection_paused ended_at cancel_reason checkout_session"
        " created_at state wake_at wake lifecycle_at ticket read_at canceled_at"
        " cancel_feedback cancelled_by_customer resumes_at pause_reason phase untold"
        " card_own open_amount open_currency"
    ),
    "webhook_refusals": "code hour count last_at",
}
"""By table, the columns that stay as they are: products, amounts, times, states, and Stripe's ids,
which name nobody to those who can't open the Stripe account."""
