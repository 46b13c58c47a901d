// Written by `make clients`; don't edit it by hand.

export interface paths {
    "/api/v1/access": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether a person may open a product now.
         * @description An unknown person has no access. An unknown product is a 404.
         *
         *     Needs a token with the scope `access` or a wider one.
         */
        get: operations["get_access"];
        put?: never;
        /**
         * Whether a person may open a product now, asked with a body.
         * @description Answers as `GET /access` does. Proxies log the URLs of requests, not their bodies: ask this way
         *     where a log mustn't contain email addresses.
         *
         *     Needs a token with the scope `access` or a wider one.
         */
        post: operations["post_access"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/why": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The full chain behind an access decision.
         * @description For each source: the grant, its Stripe object, the events that led to it, the workflow, activity
         *     lines, emails, and when and why access ends, or why there is none.
         *
         *     Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_why"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/access": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who had access to a product at any time on a given day, one entry per grant.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_access"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/access": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A user's access over time, newest grant first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_users_id_access"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/access-tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign a token that says that a person may open a product now.
         * @description It is a JWT of the type `at+jwt` (RFC 9068), signed with RS256, and valid for five minutes, or
         *     until access ends if that is sooner. Whoever gets it verifies the signature with `/oauth/jwks`,
         *     and that `iss` is this site, `aud` is the audience asked for, and `exp` hasn't passed. A person
         *     without access gets none: 403 `no_access`. An OAuth client's id can't be the audience, since
         *     that is what an ID token has.
         *
         *     Needs a token with the scope `access` or a wider one.
         */
        post: operations["post_access_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the audit log, newest first: who did what, from where, and what came of it.
         * @description Needs a token with the scope `everything` or a wider one.
         */
        get: operations["get_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/checkout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a product's checkout and its payment link.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_checkout"];
        /**
         * Turn a product's checkout on, with a price, or off.
         * @description `/buy/<slug>` then leads to a checkout session of that price, made for each buyer. Also creates
         *     a payment link in Stripe, an address to put elsewhere. A different price creates a new link and
         *     deactivates the previous one; buyers who have that open can still pay and get access. Sending
         *     the same choice again changes nothing.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        put: operations["put_products_id_checkout"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/prices": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the prices that a product is sold at, in order.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_prices"];
        /**
         * Set the prices that a product is sold at, in order; none turns its checkout off.
         * @description `/buy/<slug>` lets buyers choose among several. A payment link stays if its price is among them.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        put: operations["put_products_id_prices"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/portal-sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a session of Stripe's customer portal.
         * @description Answers 409 if the person has no Stripe customer, or if it was deleted in Stripe. Of several
         *     customers, one with running subscriptions comes first, then the newest.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_portal_sessions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/checkout-sessions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Create a checkout session for a price that the product is sold at.
         * @description The same buyer gets the same session for half an hour, while it is open. Answers 409 with
         *     `not_for_sale`, `already_has_access`, `subscription_exists` (with `subscription` and
         *     `subscription_status`: have it mended by `POST /portal-sessions`) or `payment_pending`.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_checkout_sessions"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/collections": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the site's collections by name.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_collections"];
        put?: never;
        /**
         * Create a collection.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_collections"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/collections/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one collection.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_collections_id"];
        put?: never;
        post?: never;
        /**
         * Delete a collection. The access it gave ends.
         * @description It can't be deleted while a product opens it.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        delete: operations["delete_collections_id"];
        options?: never;
        head?: never;
        /**
         * Change a collection. Whoever has it gains added products and loses removed ones.
         * @description A product that opens a collection can't be in one. It opens one at most.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        patch: operations["patch_collections_id"];
        trace?: never;
    };
    "/api/v1/collections/{id}/grants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the people who have a collection, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_collections_id_grants"];
        put?: never;
        /**
         * Give a person a collection. Giving it again changes its end and reason.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_collections_id_grants"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/collections/{id}/grants/{holder}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Take a collection from a person, with the access it gave.
         * @description Needs a token with the scope `write` or a wider one.
         */
        delete: operations["delete_collections_id_grants_holder"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/grants/bulk": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give many people complimentary access, up to 1,000 at once.
         * @description If one entry is invalid, nobody gets access.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_products_id_grants_bulk"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/customers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the Stripe customers who bought something that is linked, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_customers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/customers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one customer by Stripe's id.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_customers_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/activities": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the activity feed, newest first, with exactly one line per fact.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_activities"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/matches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List identity matches to review, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_matches"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/matches/{id}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept a match: ask to merge the two users, or assign the purchase to `email`.
         * @description The match stays open until the owners of both mailboxes agree.
         *
         *     Needs a token with the scope `everything` or a wider one.
         */
        post: operations["post_matches_id_accept"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/matches/{id}/dismiss": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Dismiss a match. Nothing changes, and the same doubt isn't raised again.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_matches_id_dismiss"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/merge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Merge another user into this one without asking its owner.
         * @description Only with a token of an owner's; ask with `POST /users/{id}/merge-requests` otherwise. Grants,
         *     purchases, emails, activity lines, customers and addresses move, but this user isn't shown the
         *     other's billing, and both addresses are told. From then on, the other id stands for this user
         *     too.
         *
         *     Needs a token with the scope `everything` or a wider one.
         */
        post: operations["post_users_id_merge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/merge-requests": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the requests to merge this user with another one, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_users_id_merge_requests"];
        put?: never;
        /**
         * Ask the owners of this user and another one to agree to a merge.
         * @description The account that goes always has to agree, the one that stays if nobody has proven its mailbox
         *     yet. The links that are emailed work for 48 hours, and end when one of the accounts changes.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_users_id_merge_requests"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/merges": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the users who were merged into this one, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_users_id_merges"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/unmerge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Undo the merge of this user into another one.
         * @description What was theirs goes back to them, with whatever has come in through their customers or address
         *     since. The rest stays with the other user. They have no password afterwards and sign in by
         *     email.
         *
         *     Needs a token with the scope `everything` or a wider one.
         */
        post: operations["post_users_id_unmerge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/addresses": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a user's additional addresses, whether claimed or from a merge.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_users_id_addresses"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the inbox, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one event with what Stripe sent.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_events_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/{id}/resend": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Process an event again. Harmless if it was already processed.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_events_id_resend"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/{id}/ignore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Ignore a failed event, with the reason why nothing needs to be done.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_events_id_ignore"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/lessons": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a product's lessons in their order, drafts included.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_lessons"];
        put?: never;
        /**
         * Create a lesson after the others. A product can have up to 200.
         * @description It is a draft unless `status` says `live`. Files are added in the admin pages.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_products_id_lessons"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/lessons/{lesson}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one lesson with its text.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_lessons_lesson"];
        put?: never;
        post?: never;
        /**
         * Delete a lesson, with its files and the marks of those who have done it.
         * @description Needs a token with the scope `write` or a wider one.
         */
        delete: operations["delete_products_id_lessons_lesson"];
        options?: never;
        head?: never;
        /**
         * Change a lesson. Null clears the address of the video.
         * @description Needs a token with the scope `write` or a wider one.
         */
        patch: operations["patch_products_id_lessons_lesson"];
        trace?: never;
    };
    "/api/v1/products/{id}/lesson-order": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Put a product's lessons in another order.
         * @description Answers 409 with `lessons_differ` if the list isn't exactly the product's lessons, for example
         *     because somebody has just added one: get the list again.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        put: operations["put_products_id_lesson_order"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/link/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Preview who a link would affect, and why. Changes nothing.
         * @description Needs a token with the scope `read` or a wider one.
         */
        post: operations["post_products_id_link_preview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a product's link and the progress of its import.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_link"];
        /**
         * Link a product to a Stripe product.
         * @description The import starts at once, and `progress` shows how far it has come. Sending the same link again
         *     changes nothing, or restarts the import if it failed. A Stripe product that isn't known yet is
         *     looked up in Stripe first.
         *
         *     Needs a token with the scope `everything` or a wider one.
         */
        put: operations["put_products_id_link"];
        post?: never;
        /**
         * Remove a product's link.
         * @description While Stripe has live subscriptions for it, `members` must say what happens to its members:
         *     `keep` their access until their subscription ends, `end` it now, or make it `complimentary`.
         *
         *     Needs a token with the scope `everything` or a wider one.
         */
        delete: operations["delete_products_id_link"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member-imports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Have a file of members checked. Nobody gets anything yet.
         * @description The body may have 8 MiB. Get the import until it is `ready`, then start it. A file that nobody
         *     goes on with is deleted after 7 days. Answers 422 with `unreadable_file`, `unknown_product`, or
         *     `plan_missing` if `plans` doesn't name every plan in the file.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_member_imports"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member-imports/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get an import: how far it is, and what comes of its lines.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_member_imports_id"];
        put?: never;
        post?: never;
        /**
         * Delete an import that hasn't been started, with its lines.
         * @description Needs a token with the scope `write` or a wider one.
         */
        delete: operations["delete_member_imports_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member-imports/{id}/lines": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the checked lines in the file's order. They are deleted 30 days after the import.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_member_imports_id_lines"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member-imports/{id}/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Have an import done as its preview says. Nobody is emailed.
         * @description Everybody is looked at once more, since somebody may have bought in the meantime. Answers 409
         *     with `not_ready` if the import isn't `ready`, or has another preview.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_member_imports_id_start"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/member-imports/{id}/undo": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Say what taking an import back comes to: who loses what, and who keeps it.
         * @description Only what the import itself gave can end, and only if it is still as it was given. Answers 409
         *     with `not_ready` if the import isn't `done`, or has been for more than 30 days.
         *
         *     Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_member_imports_id_undo"];
        put?: never;
        /**
         * Take an import back as its preview says. Nobody is emailed.
         * @description Everybody is looked at once more when their turn comes. Get the import until it is `undone`; its
         *     lines say what was taken back and what wasn't. Answers 409 with `not_ready` if the import isn't
         *     `done`, has been for more than 30 days, or has another preview.
         *
         *     Needs a token with the scope `everything` or a wider one.
         */
        post: operations["post_member_imports_id_undo"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get members, recurring revenue, churn, trials and one-time revenue over time.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pictures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the uploaded pictures, with what shows each of them.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_pictures"];
        put?: never;
        /**
         * Upload a picture: PNG, JPEG, WebP, GIF or AVIF, up to 10 MB.
         * @description The body is the file. What it is, is read from its bytes: a `Content-Type` isn't believed. It is
         *     kept in the sizes of its `use`, without what cameras note in it. Give its `url` to what shall
         *     show it within a day. The same picture again has the same `id`.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_pictures"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pictures/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one picture by its id, with what shows it.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_pictures_id"];
        put?: never;
        post?: never;
        /**
         * Delete a picture that nothing shows.
         * @description Needs a token with the scope `write` or a wider one.
         */
        delete: operations["delete_pictures_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/pictures/{id}/replace": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Show another uploaded picture wherever this one is shown; answers with the other one.
         * @description Both have to be kept in the same formats, as pictures of one `use` are. Pages show it at once,
         *     other processes' pages within seconds. Nothing shows the former one then.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_pictures_id_replace"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the site's access policy.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_policy"];
        /**
         * Set the site's access policy.
         * @description It takes effect at once for whatever happens from now on, and is applied to everyone else in the
         *     background. `change` shows the progress.
         *
         *     Needs a token with the scope `everything` or a wider one.
         */
        put: operations["put_policy"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Preview who would gain and who would lose access under this policy. Changes nothing.
         * @description Needs a token with the scope `read` or a wider one.
         */
        post: operations["post_policy_preview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy/changes/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get the progress of a saved policy change.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_policy_changes_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get a product's access policy: the site's, with the product's own cells.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_policy"];
        /**
         * Set a product's own cells. Omitted cells follow the site again.
         * @description Needs a token with the scope `everything` or a wider one.
         */
        put: operations["put_products_id_policy"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/policy/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Preview who would gain and who would lose access to a product. Changes nothing.
         * @description Needs a token with the scope `read` or a wider one.
         */
        post: operations["post_products_id_policy_preview"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the site's products.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products"];
        put?: never;
        /**
         * Create a product.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_products"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one product by id or slug.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id"];
        put?: never;
        post?: never;
        /**
         * Delete a product and its grants. Its link must be removed first.
         * @description Needs a token with the scope `write` or a wider one.
         */
        delete: operations["delete_products_id"];
        options?: never;
        head?: never;
        /**
         * Change a product. Null clears the image, the content URL or the external checkout URL.
         * @description Needs a token with the scope `write` or a wider one.
         */
        patch: operations["patch_products_id"];
        trace?: never;
    };
    "/api/v1/stripe/products": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the account's Stripe products with their active subscriptions.
         * @description If the list is empty, or with `refresh`, the account is read from Stripe first.
         *
         *     Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_stripe_products"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/purchases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the one-off purchases of linked Stripe products, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_purchases"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/purchases/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one purchase by the id of its checkout session or invoice.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_purchases_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reconciliations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List comparisons, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_reconciliations"];
        put?: never;
        /**
         * Compare grants with Stripe, for one product or for all.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_reconciliations"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reconciliations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one comparison with its differences; `next` leads to more of them.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_reconciliations_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/reconciliations/{id}/repair": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Repair selected differences of a comparison, or all safe ones.
         * @description Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_reconciliations_id_repair"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/speed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get how many purchases of the last four weeks opened what was bought in time.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_speed"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/subscriptions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the subscriptions of linked Stripe products, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_subscriptions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/subscriptions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one subscription by Stripe's id.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_subscriptions_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/team": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the owners, admins and support, and who has a second factor.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_team"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List users, newest first, with their Stripe customers and connected accounts.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_users"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Get one user with their Stripe customers and connected accounts.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_users_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/users/{id}/labels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Give a user these labels and no others.
         * @description A label exists while somebody has it. `vip` is the same as `VIP`, and is written as whoever used
         *     it first wrote it. Somebody who was erased gets none.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        put: operations["put_users_id_labels"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/products/{id}/grants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a product's live grants, newest first.
         * @description Needs a token with the scope `read` or a wider one.
         */
        get: operations["get_products_id_grants"];
        put?: never;
        /**
         * Give a person complimentary access.
         * @description Creates the user if the address is new. Giving it again changes the end and the reason. Stripe
         *     events never change it.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_products_id_grants"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/grants/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * End a grant now.
         * @description This ends access, not billing: a subscription keeps running in Stripe until it is cancelled
         *     there. A grant from a purchase is put on hold: Stripe events don't restore it until the hold is
         *     lifted.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        delete: operations["delete_grants_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/grants/{id}/lift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Lift the hold on a grant that was ended by hand.
         * @description If its purchase still entitles the person to access, they get it back at once.
         *
         *     Needs a token with the scope `write` or a wider one.
         */
        post: operations["post_grants_id_lift"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface webhooks {
    "access.granted": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Somebody got access to a product */
        post: operations["webhook_access_granted"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "access.ending": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** The end of somebody's access was set, moved or withdrawn (`until` is null) */
        post: operations["webhook_access_ending"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "access.ended": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Somebody's access to a product ended */
        post: operations["webhook_access_ended"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "purchase.completed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A product was bought, once or by a subscription */
        post: operations["webhook_purchase_completed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "purchase.refunded": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A payment was refunded in part or full */
        post: operations["webhook_purchase_refunded"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "subscription.started": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A subscription began */
        post: operations["webhook_subscription_started"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "subscription.cancelled": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A subscription was cancelled */
        post: operations["webhook_subscription_cancelled"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "subscription.resumed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A cancellation was withdrawn */
        post: operations["webhook_subscription_resumed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "subscription.past_due": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A subscription's payment failed */
        post: operations["webhook_subscription_past_due"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "subscription.recovered": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** What was due for a subscription was paid */
        post: operations["webhook_subscription_recovered"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "user.created": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A user was created */
        post: operations["webhook_user_created"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "user.merged": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Another user was merged into this one */
        post: operations["webhook_user_merged"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "user.erased": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** A user's personal data was erased */
        post: operations["webhook_user_erased"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    test: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Somebody sent a test event */
        post: operations["webhook_test"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export interface components {
    schemas: {
        /**
         * AboutAccess
         * @description `until` is when access ends, null if no end is known.
         */
        AboutAccess: {
            user: components["schemas"]["WebhookUser"];
            product: components["schemas"]["WebhookProduct"];
            source: components["schemas"]["WebhookSource"];
            /** Until */
            until: string | null;
        };
        /**
         * AboutCancellation
         * @description `until` is when the subscription ends, null if it has ended.
         */
        AboutCancellation: {
            user: components["schemas"]["WebhookUser"];
            product: components["schemas"]["WebhookProduct"];
            source: components["schemas"]["WebhookSource"];
            /** Until */
            until: string | null;
        };
        /**
         * AboutEnd
         * @description `reason` is one of the API's end reasons.
         */
        AboutEnd: {
            user: components["schemas"]["WebhookUser"];
            product: components["schemas"]["WebhookProduct"];
            source: components["schemas"]["WebhookSource"];
            /** Reason */
            reason: string;
        };
        /**
         * AboutMerge
         * @description `merged_user` stands for the user from now on.
         */
        AboutMerge: {
            user: components["schemas"]["WebhookUser"];
            /** Merged User */
            merged_user: number;
        };
        /** AboutNothing */
        AboutNothing: Record<string, never>;
        /** AboutPurchase */
        AboutPurchase: {
            user: components["schemas"]["WebhookUser"];
            product: components["schemas"]["WebhookProduct"];
            source: components["schemas"]["WebhookSource"];
        };
        /**
         * AboutRefund
         * @description `amount` is what was refunded of the payment so far, in the currency's minor unit.
         */
        AboutRefund: {
            user: components["schemas"]["WebhookUser"];
            product: components["schemas"]["WebhookProduct"];
            source: components["schemas"]["WebhookSource"];
            /** Amount */
            amount: number;
            /** Currency */
            currency: string;
            /** Full */
            full: boolean;
            /**
             * Invoice
             * @default null
             */
            invoice?: string | null;
        };
        /** AboutUser */
        AboutUser: {
            user: components["schemas"]["WebhookUser"];
        };
        /**
         * Acceptance
         * @description `email` says who a purchase without an address belongs to.
         */
        Acceptance: {
            /**
             * Email
             * @default null
             */
            email?: string | null;
        };
        /**
         * Access
         * @description `until` is null when no end is known.
         */
        Access: {
            /** Access */
            access: boolean;
            /** Until */
            until: string | null;
            /** Grants */
            grants: components["schemas"]["LiveGrant"][];
        };
        /**
         * AccessSpan
         * @description One grant as a period of time. `until` is exclusive: it is when access ended here, or null
         *     when no end is known. `due_at` is when an end that has come was due.
         */
        AccessSpan: {
            /** Id */
            id: number;
            /** User */
            user: number;
            /** Email */
            email: string;
            /** Product */
            product: string;
            /** Source */
            source: string;
            /** Source Id */
            source_id: string;
            /**
             * Since
             * Format: date-time
             */
            since: string;
            /** Until */
            until: string | null;
            /** Due At */
            due_at: string | null;
            /** End Reason */
            end_reason: string | null;
            /** Cause */
            cause: string;
        };
        /**
         * AccessToken
         * @description `token` is a JWT, signed by a key of `/oauth/jwks`. It says `product` (the slug) and
         *     `product_id`, and `sub`, the user's id.
         */
        AccessToken: {
            /** Token */
            token: string;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
        };
        /**
         * Activity
         * @description One fact. `user` and `product` are ids here, `source_id` is Stripe's.
         *
         *     What many people get or lose at once has the cause `bulk`, and shares a `source_id` with the
         *     line that counts them (type `bulk_change`, `users_imported`, `import_undone` or
         *     `link_removed`).
         *
         *     `at` is when it happened here. `due_at` is when it happened in Stripe or, for `access_ended`,
         *     when that was due; null where nothing says so.
         */
        Activity: {
            /** Id */
            id: number;
            /** Type */
            type: string;
            /** User */
            user: number | null;
            /** Email */
            email: string | null;
            /** Product */
            product: string | null;
            /** Cause */
            cause: string;
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Due At */
            due_at: string | null;
            /** Source Id */
            source_id: string | null;
            /** Event Id */
            event_id: string | null;
            /** Workflow Id */
            workflow_id: string | null;
            /** Data */
            data: {
                [key: string]: unknown;
            };
        };
        /** ActivityList */
        ActivityList: {
            /** Data */
            data: components["schemas"]["Activity"][];
            /** Next */
            next: string | null;
        };
        /** Address */
        Address: {
            /** Email */
            email: string;
            /** Source */
            source: string;
            /**
             * Added At
             * Format: date-time
             */
            added_at: string;
        };
        /** AddressList */
        AddressList: {
            /** Data */
            data: components["schemas"]["Address"][];
            /** Next */
            next: string | null;
        };
        /**
         * AskToMerge
         * @description The other user.
         */
        AskToMerge: {
            /** User */
            user: number;
            /**
             * Reason
             * @default null
             */
            reason?: string | null;
        };
        /**
         * AuditEvent
         * @description One line. `actor_id` is a user's or a token's, by `actor`; `on_behalf_of` is the member that
         *     an admin saw the site as. `count` is how often it happened within a minute.
         */
        AuditEvent: {
            /** Id */
            id: number;
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Action */
            action: string;
            /** Outcome */
            outcome: string;
            /** Actor */
            actor: string;
            /** Actor Id */
            actor_id: number | null;
            /** On Behalf Of */
            on_behalf_of: number | null;
            /** Ip */
            ip: string | null;
            /** Agent */
            agent: string | null;
            /** Target */
            target: string | null;
            /** Target Id */
            target_id: string | null;
            /** Before */
            before: {
                [key: string]: unknown;
            } | null;
            /** After */
            after: {
                [key: string]: unknown;
            } | null;
            /** Count */
            count: number;
        };
        /** AuditEventList */
        AuditEventList: {
            /** Data */
            data: components["schemas"]["AuditEvent"][];
            /** Next */
            next: string | null;
        };
        /**
         * BillingCustomer
         * @description `email` and `name` are the customer's at Stripe. `user` is the id of the user whom the
         *     customer belongs to, and `user_email` their address. `added_at` is when the customer was first
         *     seen here.
         *
         *     `paid_once` is what their one-off purchases brought, less refunds, credits and lost disputes.
         *     `recurring` is what their running subscriptions cost before discounts and taxes; a subscription
         *     whose amount varies isn't in it. The renewals that they paid aren't added up anywhere here.
         */
        BillingCustomer: {
            /** Id */
            id: string;
            /** Email */
            email: string | null;
            /** Name */
            name: string | null;
            /** User */
            user: number | null;
            /** User Email */
            user_email: string | null;
            /** Subscriptions */
            subscriptions: number;
            /** Running Subscriptions */
            running_subscriptions: number;
            /** Purchases */
            purchases: number;
            /** Paid Once */
            paid_once: components["schemas"]["CustomerPaid"][];
            /** Recurring */
            recurring: components["schemas"]["CustomerRecurring"][];
            /** Deleted */
            deleted: boolean;
            /**
             * Added At
             * Format: date-time
             */
            added_at: string;
            /** Livemode */
            livemode: boolean;
        };
        /**
         * Checkout
         * @description `url` is the payment link's URL, null while there is none. `obstacle` is what keeps buyers
         *     from paying, as Stripe was last read: `product_deleted`, `product_archived`, `price_archived`,
         *     `link_off`, `link_spent` (as many sales as its limit) or `link_refused`.
         */
        Checkout: {
            /** Enabled */
            enabled: boolean;
            /** Price */
            price: string | null;
            /** Url */
            url: string | null;
            /** Payment Link */
            payment_link: string | null;
            /** Promotion Codes */
            promotion_codes: boolean;
            /** Purchase Method */
            purchase_method: string;
            /** Obstacle */
            obstacle: string | null;
        };
        /**
         * CheckoutChoice
         * @description Whether the product has a checkout, and which price of its Stripe product it sells.
         *     `payment_link` asks for a payment link of that price as well.
         */
        CheckoutChoice: {
            /** Enabled */
            enabled: boolean;
            /**
             * Price
             * @default null
             */
            price?: string | null;
            /**
             * Promotion Codes
             * @default null
             */
            promotion_codes?: boolean | null;
            /**
             * Payment Link
             * @default true
             */
            payment_link?: boolean;
        };
        /**
         * CheckoutFor
         * @description What is bought, and by whom.
         *
         *     `price` picks one of the product's offers; if it is left out, the first that Stripe sells.
         *     `user` is the id of somebody who is signed in on your site as this user: the purchase is theirs,
         *     and goes to their own Stripe customer. `email` is an address that somebody typed: it is only
         *     filled in. Buyers go to `return_url` after paying, with the session's id as `session`, and when
         *     they turn back; by default to this site's own pages. `currency` is one of those that the price
         *     has; if it is left out, or isn't one of them, Stripe chooses by the buyer's country. `again`
         *     asks for a session although this person has a subscription of the product that isn't over, or a
         *     payment under way.
         */
        CheckoutFor: {
            /** Product */
            product: string;
            /**
             * Price
             * @default null
             */
            price?: string | null;
            /**
             * Email
             * @default null
             */
            email?: string | null;
            /**
             * User
             * @default null
             */
            user?: number | null;
            /**
             * Return Url
             * @default null
             */
            return_url?: string | null;
            /**
             * Currency
             * @default null
             */
            currency?: string | null;
            /**
             * Again
             * @default false
             */
            again?: boolean;
        };
        /**
         * CheckoutSession
         * @description `url` is Stripe's page, for this buyer only. It can be paid until `expires_at`.
         */
        CheckoutSession: {
            /** Id */
            id: string;
            /** Url */
            url: string;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
        };
        /**
         * Choice
         * @description What to repair: the differences with these ids, or all safe ones if omitted.
         */
        Choice: {
            /**
             * Differences
             * @default null
             */
            differences?: number[] | null;
        };
        /**
         * Collection
         * @description `products` are in the collection; those of `sold_as` open it: whoever has one of them has the
         *     collection as long. `holders` counts the people whom it was given to, `buyers` those who have
         *     it by a product.
         */
        Collection: {
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Description */
            description: string;
            /** Products */
            products: string[];
            /** Sold As */
            sold_as: string[];
            /** Holders */
            holders: number;
            /** Buyers */
            buyers: number;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
        };
        /**
         * CollectionChanges
         * @description The fields to change; omitted ones stay as they are. `products` and `sold_as` replace the
         *     whole lists.
         */
        CollectionChanges: {
            /**
             * Name
             * @default null
             */
            name?: string | null;
            /**
             * Description
             * @default null
             */
            description?: string | null;
            /**
             * Products
             * @default null
             */
            products?: string[] | null;
            /**
             * Sold As
             * @default null
             */
            sold_as?: string[] | null;
        };
        /** CollectionList */
        CollectionList: {
            /** Data */
            data: components["schemas"]["Collection"][];
            /** Next */
            next: string | null;
        };
        /**
         * CommunityAccount
         * @description An account that the user has connected, in a community: a Discord server or Slack workspace.
         *     `id` is its id there. `away` says that it isn't in the community at present; `roles` are the
         *     roles or channels that access here has given it.
         */
        CommunityAccount: {
            /** Community */
            community: string;
            /** Kind */
            kind: string;
            /** Id */
            id: string;
            /** Name */
            name: string | null;
            /**
             * Connected At
             * Format: date-time
             */
            connected_at: string;
            /** Away */
            away: boolean;
            /** Roles */
            roles: string[];
        };
        /**
         * Customer
         * @description A Stripe customer that belongs to the user.
         */
        Customer: {
            /** Id */
            id: string;
            /** Email */
            email: string | null;
            /** Name */
            name: string | null;
            /** Livemode */
            livemode: boolean;
            /** Deleted */
            deleted: boolean;
        };
        /** CustomerList */
        CustomerList: {
            /** Data */
            data: components["schemas"]["BillingCustomer"][];
            /** Next */
            next: string | null;
        };
        /**
         * CustomerPaid
         * @description `amount` is in the currency's minor unit.
         */
        CustomerPaid: {
            /** Currency */
            currency: string;
            /** Amount */
            amount: number;
        };
        /**
         * CustomerRecurring
         * @description `amount` is in the currency's minor unit, for each period of `interval_count` intervals.
         */
        CustomerRecurring: {
            /** Currency */
            currency: string;
            /** Amount */
            amount: number;
            /** Interval */
            interval: string;
            /** Interval Count */
            interval_count: number;
        };
        /**
         * Difference
         * @description One difference. `class` is safe (to repair), person (someone must decide) or foreign.
         */
        Difference: {
            /** Id */
            id: number;
            /** Kind */
            kind: string;
            /** Class */
            class: string;
            /** Reason */
            reason: string;
            /** Source */
            source: string;
            /** Source Id */
            source_id: string;
            /** Product */
            product: string | null;
            /** User */
            user: number | null;
            /** Email */
            email: string | null;
            /** Workflow Id */
            workflow_id: string | null;
            /** State */
            state: string;
            /** Error */
            error: string | null;
            /** Repairable */
            repairable: boolean;
            /**
             * Found At
             * Format: date-time
             */
            found_at: string;
            /** Repaired At */
            repaired_at: string | null;
        };
        /**
         * Event
         * @description A Stripe event as it was received; `id` is Stripe's. `source` is webhook, or catch_up if no
         *     webhook delivered it and it was found in Stripe's event list.
         */
        Event: {
            /** Id */
            id: string;
            /** Type */
            type: string;
            /** Object Id */
            object_id: string;
            /** State */
            state: string;
            /** Attempts */
            attempts: number;
            /** Error */
            error: string | null;
            /** Source */
            source: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Received At
             * Format: date-time
             */
            received_at: string;
            /** Handled At */
            handled_at: string | null;
            /** Ignored Reason */
            ignored_reason: string | null;
        };
        /** EventList */
        EventList: {
            /** Data */
            data: components["schemas"]["Event"][];
            /** Next */
            next: string | null;
        };
        /**
         * Gifts
         * @description Access for many people. If an address is given twice, its last entry counts.
         */
        Gifts: {
            /** Grants */
            grants: components["schemas"]["OneGift"][];
            /**
             * Mail
             * @default true
             */
            mail?: boolean;
        };
        /**
         * GiftsDone
         * @description How many people got access, how many had theirs changed, and how many users are new.
         */
        GiftsDone: {
            /** Granted */
            granted: number;
            /** Changed */
            changed: number;
            /** Users Created */
            users_created: number;
        };
        /**
         * Grant
         * @description `state` is live, ending or ended. `ended_at` is when access ended here, `due_at` when it was
         *     due.
         */
        Grant: {
            /** Id */
            id: number;
            /** User Id */
            user_id: number;
            /** Email */
            email: string;
            /** Product Id */
            product_id: string;
            /** Source */
            source: string;
            /** Source Id */
            source_id: string;
            /**
             * Since
             * Format: date-time
             */
            since: string;
            /** Until */
            until: string | null;
            /** Ended At */
            ended_at: string | null;
            /** Due At */
            due_at: string | null;
            /** End Reason */
            end_reason: string | null;
            /** Cause */
            cause: string;
            /** Reason */
            reason: string | null;
            /** Held */
            held: boolean;
            /** State */
            state: string;
        };
        /** GrantList */
        GrantList: {
            /** Data */
            data: components["schemas"]["Grant"][];
            /** Next */
            next: string | null;
        };
        /**
         * GrantSource
         * @description What gives access: something bought, somebody's decision, or another product that opens the
         *     collection which the product is in.
         * @enum {string}
         */
        GrantSource: "subscription" | "order" | "manual" | "collection" | "product";
        /**
         * Holder
         * @description A person who has the collection.
         */
        Holder: {
            /** Id */
            id: number;
            /** User Id */
            user_id: number;
            /** Email */
            email: string;
            /**
             * Since
             * Format: date-time
             */
            since: string;
            /** Until */
            until: string | null;
            /** Reason */
            reason: string | null;
        };
        /** HolderList */
        HolderList: {
            /** Data */
            data: components["schemas"]["Holder"][];
            /** Next */
            next: string | null;
        };
        /** Ignoring */
        Ignoring: {
            /**
             * Reason
             * @description why nothing needs to be done
             */
            reason: string;
        };
        /**
         * ImportFigures
         * @description How many people the lines are about, and how many lines have each outcome so far. The last
         *     four count the lines of customers whom Stripe knows.
         */
        ImportFigures: {
            /** People */
            people: number;
            /** New People */
            new_people: number;
            /** Given */
            given: number;
            /** Has It */
            has_it: number;
            /** Bought */
            bought: number;
            /** Left To Link */
            left_to_link: number;
            /** Over */
            over: number;
            /** Person Only */
            person_only: number;
            /** Refused */
            refused: number;
            /** By Subscription */
            by_subscription: number;
            /** By Customer */
            by_customer: number;
            /** By Address */
            by_address: number;
            /** Other Person */
            other_person: number;
        };
        /**
         * ImportedLine
         * @description A line of the file and what comes of it. `user_id` is who has its address, if anybody has;
         *     `column` and `problem` say why it is refused. Once the import was taken back, `undo` says what
         *     became of the access that the line gave, and `account` of the account that it created;
         *     `undone_labels` are the labels that were taken back.
         */
        ImportedLine: {
            /** Line */
            line: number;
            /** Email */
            email: string | null;
            /** User Id */
            user_id: number | null;
            /** Product Id */
            product_id: string | null;
            /** Until */
            until: string | null;
            /** Outcome */
            outcome: string;
            /** Column */
            column: string | null;
            /** Problem */
            problem: string | null;
            /** Labels */
            labels: string[];
            /** Undo */
            undo: string | null;
            /** Account */
            account: string | null;
            /** Undone Labels */
            undone_labels: string[];
        };
        /** ImportedLineList */
        ImportedLineList: {
            /** Data */
            data: components["schemas"]["ImportedLine"][];
            /** Next */
            next: string | null;
        };
        /**
         * LabelFigures
         * @description How many people get a label, or have it already; `new` if nobody has it yet.
         */
        LabelFigures: {
            /** Label */
            label: string;
            /** People */
            people: number;
            /** New */
            new: boolean;
        };
        /** Labels */
        Labels: {
            /** Labels */
            labels: string[];
        };
        /**
         * Lesson
         * @description A lesson. `body` is Markdown, and members see it if `status` is `live`. It opens
         *     `released_after_days` times 24 hours after a member's access to the product first began.
         */
        Lesson: {
            /** Id */
            id: string;
            /** Product Id */
            product_id: string;
            /** Title */
            title: string;
            /** Body */
            body: string;
            /** Video Url */
            video_url: string | null;
            /** Released After Days */
            released_after_days: number;
            /** Status */
            status: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
        };
        /**
         * LessonChanges
         * @description What can be changed; anything left out stays as it is.
         */
        LessonChanges: {
            /**
             * Title
             * @default null
             */
            title?: string | null;
            /**
             * Body
             * @default null
             */
            body?: string | null;
            /**
             * Video Url
             * @default null
             */
            video_url?: string | null;
            /**
             * Released After Days
             * @default null
             */
            released_after_days?: number | null;
            /**
             * Status
             * @default null
             */
            status?: ("draft" | "live") | null;
        };
        /** LessonList */
        LessonList: {
            /** Data */
            data: components["schemas"]["ListedLesson"][];
            /** Next */
            next: string | null;
        };
        /**
         * LessonOrder
         * @description The ids of all lessons of the product, each once.
         */
        LessonOrder: {
            /** Lessons */
            lessons: string[];
        };
        /**
         * Link
         * @description `progress` counts what the import has processed so far.
         */
        Link: {
            /** Id */
            id: number;
            /** Product Id */
            product_id: string;
            /** Stripe Product */
            stripe_product: string | null;
            /** Stripe Product Name */
            stripe_product_name: string | null;
            /** State */
            state: string;
            /** Mail */
            mail: string;
            /** Progress */
            progress: {
                [key: string]: unknown;
            };
            /** Error */
            error: string | null;
            /** Workflow Id */
            workflow_id: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Listening At */
            listening_at: string | null;
        };
        /**
         * LinkTo
         * @description An existing Stripe product or one to create. `members` is for replacing another link.
         */
        LinkTo: {
            /**
             * Stripe Product
             * @default null
             */
            stripe_product?: string | null;
            /** @default null */
            create?: components["schemas"]["NewPrice"] | null;
            /**
             * Mail
             * @default send
             * @enum {string}
             */
            mail?: "send" | "suppress" | "spread";
            /**
             * Members
             * @default null
             */
            members?: ("keep" | "end" | "complimentary") | null;
            /**
             * Invoices
             * @description which past one-off invoices to import
             * @default year
             * @enum {string}
             */
            invoices?: "none" | "year" | "all";
        };
        /**
         * ListedLesson
         * @description A lesson without its text. `done` counts the people who marked it as done.
         */
        ListedLesson: {
            /** Id */
            id: string;
            /** Title */
            title: string;
            /** Released After Days */
            released_after_days: number;
            /** Status */
            status: string;
            /** Done */
            done: number;
        };
        /**
         * LiveGrant
         * @description One live grant, which lets the person open the product.
         *
         *     `source_id` is Stripe's id of a subscription or purchase, or the collection. Of the source
         *     `product`, which opens the collection that the product asked for is in, it is the id of that
         *     product, a slash, and the id of its grant. This one lasts as long as that one.
         */
        LiveGrant: {
            /** Id */
            id: number;
            /** Source */
            source: string;
            /** Source Id */
            source_id: string;
            /**
             * Since
             * Format: date-time
             */
            since: string;
            /** Until */
            until: string | null;
            /** State */
            state: string;
        };
        /**
         * Match
         * @description A doubt about who someone is. `user` has (or keeps) the purchase, `other` is the other person
         *     it might be. `merges` says whether accepting asks the owners of both to agree to a merge:
         *     `request` is the latest one. An address is proven once somebody has followed a link to it.
         */
        Match: {
            /** Id */
            id: number;
            /** Kind */
            kind: string;
            /** User Id */
            user_id: number | null;
            /** User Email */
            user_email: string | null;
            /** Other Id */
            other_id: number | null;
            /** Other Email */
            other_email: string | null;
            /** Customer Id */
            customer_id: string | null;
            /** Source */
            source: string | null;
            /** Source Id */
            source_id: string | null;
            /** Email */
            email: string | null;
            /** User Proven */
            user_proven: boolean;
            /** Other Proven */
            other_proven: boolean;
            /** Merges */
            merges: boolean;
            request: components["schemas"]["MergeRequest"] | null;
            /** State */
            state: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Decided At */
            decided_at: string | null;
        };
        /** MatchList */
        MatchList: {
            /** Data */
            data: components["schemas"]["Match"][];
            /** Next */
            next: string | null;
        };
        /**
         * MemberImport
         * @description An import. It is `checking`, `ready` to be started, `running` or `done`; one that was
         *     uploaded on the page may wait for `columns` or `plans`, or be `mailing`. One that is taken back
         *     is `undoing`, perhaps `deleting` accounts, then `undone`. `worked` of its `lines` have been gone
         *     through for that. `preview` names what `figures`, `products` and `labels` are about.
         */
        MemberImport: {
            /** Id */
            id: string;
            /** File Name */
            file_name: string;
            /** State */
            state: string;
            /** Lines */
            lines: number;
            /** Worked */
            worked: number;
            /** Preview */
            preview: number;
            figures: components["schemas"]["ImportFigures"];
            /** Products */
            products: components["schemas"]["ProductFigures"][];
            /** Labels */
            labels: components["schemas"]["LabelFigures"][];
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Started At */
            started_at: string | null;
            /** Finished At */
            finished_at: string | null;
            /** Undone At */
            undone_at: string | null;
        };
        /**
         * Merge
         * @description How many rows were moved, by table and column.
         */
        Merge: {
            /** User Id */
            user_id: number;
            /** From User */
            from_user: number;
            /** Moved */
            moved: {
                [key: string]: number;
            };
        };
        /**
         * MergeRequest
         * @description A request to the owners of two users to agree to a merge. `into_user` stays, `other_user`
         *     goes. `waits_for` are the users whose owner hasn't answered yet. `state` is open, merged,
         *     declined, expired or replaced.
         */
        MergeRequest: {
            /** Id */
            id: number;
            /** Match Id */
            match_id: number | null;
            /** Into User */
            into_user: number;
            /** Other User */
            other_user: number;
            /** State */
            state: string;
            /** Waits For */
            waits_for: number[];
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Decided At */
            decided_at: string | null;
            /**
             * Expires At
             * Format: date-time
             */
            expires_at: string;
        };
        /** MergeRequestList */
        MergeRequestList: {
            /** Data */
            data: components["schemas"]["MergeRequest"][];
            /** Next */
            next: string | null;
        };
        /**
         * MergeWith
         * @description The user to merge into the one in the path. `reason` says how you know that both are one
         *     person.
         */
        MergeWith: {
            /** User */
            user: number;
            /** Reason */
            reason: string;
        };
        /**
         * MetricSeries
         * @description `total` is the whole period, `before` the one just as long before it, `data` its parts.
         *     `currencies` are all that were paid in. The figures were counted at `counted_at`; null: not yet.
         *     Until `exact_since`, changes of price and quantity of imported subscriptions aren't known.
         */
        MetricSeries: {
            /** Currency */
            currency: string | null;
            /** Currencies */
            currencies: string[];
            /**
             * Interval
             * @enum {string}
             */
            interval: "day" | "week" | "month";
            total: components["schemas"]["Metrics"];
            before: components["schemas"]["Metrics"];
            /** Data */
            data: components["schemas"]["Metrics"][];
            /** Counted At */
            counted_at: string | null;
            /** Exact Since */
            exact_since: string | null;
        };
        /**
         * Metrics
         * @description The figures of the days from `since` to `until`. Numbers of members, subscribers and trials,
         *     and `mrr`, are as of the end of the last day; all else happened in these days. Amounts are in
         *     the currency's minor unit, rates in percent (null where there was nothing to count).
         */
        Metrics: {
            /**
             * Since
             * Format: date
             */
            since: string;
            /**
             * Until
             * Format: date
             */
            until: string;
            /** Members */
            members: number;
            /** Members Joined */
            members_joined: number;
            /** Members Left */
            members_left: number;
            /** Subscribers */
            subscribers: number;
            /** Subscribers New */
            subscribers_new: number;
            /** Subscribers Reactivated */
            subscribers_reactivated: number;
            /** Subscribers Churned */
            subscribers_churned: number;
            /** Subscriber Churn Rate */
            subscriber_churn_rate: number | null;
            /** Mrr */
            mrr: number;
            /** Mrr New */
            mrr_new: number;
            /** Mrr Reactivated */
            mrr_reactivated: number;
            /** Mrr Expanded */
            mrr_expanded: number;
            /** Mrr Contracted */
            mrr_contracted: number;
            /** Mrr Churned */
            mrr_churned: number;
            /** Revenue Churn Rate */
            revenue_churn_rate: number | null;
            /** Trials */
            trials: number;
            /** Trials Started */
            trials_started: number;
            /** Trials Converted */
            trials_converted: number;
            /** Trials Lost */
            trials_lost: number;
            /** Trial Conversion Rate */
            trial_conversion_rate: number | null;
            /** Purchases */
            purchases: number;
            /** One Time Revenue */
            one_time_revenue: number;
        };
        /**
         * NewCollection
         * @description Products that are granted together, by id.
         */
        NewCollection: {
            /** Name */
            name: string;
            /**
             * Description
             * @default
             */
            description?: string;
            /** Products */
            products?: string[];
        };
        /**
         * NewGrant
         * @description Complimentary access, without an end or until a time with a time zone.
         */
        NewGrant: {
            /**
             * Email
             * Format: email
             */
            email: string;
            /**
             * Until
             * @default null
             */
            until?: string | null;
            /**
             * Reason
             * @default null
             */
            reason?: string | null;
            /**
             * Mail
             * @description send people who had no access an email, if the product's access email is on
             * @default true
             */
            mail?: boolean;
        };
        /**
         * NewLesson
         * @description A lesson to create.
         */
        NewLesson: {
            /** Title */
            title: string;
            /**
             * Body
             * @default null
             */
            body?: string | null;
            /**
             * Video Url
             * @default null
             */
            video_url?: string | null;
            /**
             * Released After Days
             * @default null
             */
            released_after_days?: number | null;
            /**
             * Status
             * @default null
             */
            status?: ("draft" | "live") | null;
        };
        /**
         * NewMemberImport
         * @description A CSV file and what it means.
         *
         *     `columns` says what each column holds, "" for nothing; if it is left out, what their names
         *     suggest. `plans` names each plan in the file, or `""` in one without plans. Lines whose status
         *     isn't known and isn't in `statuses` are refused. `dates` says how dates such as 03/04/2027 are
         *     meant, where they don't show it themselves.
         */
        NewMemberImport: {
            /** Csv */
            csv: string;
            /**
             * File Name
             * @default API
             */
            file_name?: string;
            /**
             * Columns
             * @default null
             */
            columns?: ("" | "email" | "name" | "plan" | "until" | "customer" | "subscription" | "status" | "language" | "labels")[] | null;
            /** Plans */
            plans: components["schemas"]["PlanOf"][];
            /** Statuses */
            statuses?: components["schemas"]["StatusOf"][];
            /**
             * Dates
             * @default null
             */
            dates?: ("day_first" | "month_first") | null;
        };
        /**
         * NewPrice
         * @description A Stripe product to create, with its price in the currency's minor unit.
         */
        NewPrice: {
            /** Amount */
            amount: number;
            /** Currency */
            currency: string;
            /**
             * Interval
             * @default null
             */
            interval?: ("day" | "week" | "month" | "year") | null;
        };
        /**
         * NewProduct
         * @description A product to create. If the slug is omitted, it is derived from the name.
         */
        NewProduct: {
            /** Name */
            name: string;
            /**
             * Slug
             * @default null
             */
            slug?: string | null;
            /**
             * Description
             * @default null
             */
            description?: string | null;
            /**
             * Image Url
             * @default null
             */
            image_url?: string | null;
            /**
             * Status
             * @default null
             */
            status?: ("draft" | "live") | null;
            /**
             * Access Mode
             * @default null
             */
            access_mode?: ("assigned" | "signed_in" | "public") | null;
            /**
             * Access Mail
             * @default null
             */
            access_mail?: boolean | null;
            /**
             * Content
             * @default null
             */
            content?: string | null;
            /**
             * Content Url
             * @default null
             */
            content_url?: string | null;
            /**
             * Purchase Method
             * @default null
             */
            purchase_method?: ("none" | "sales_page" | "checkout") | null;
            /**
             * Checkout Target
             * @default null
             */
            checkout_target?: ("stripe" | "payment_link" | "external") | null;
            /**
             * External Url
             * @default null
             */
            external_url?: string | null;
            /**
             * Show Locked
             * @default null
             */
            show_locked?: boolean | null;
            /**
             * One Trial
             * @default null
             */
            one_trial?: boolean | null;
        };
        /**
         * NewReconciliation
         * @description `dry_run` only reports; otherwise safe differences are repaired as they are found.
         */
        NewReconciliation: {
            /**
             * Dry Run
             * @description true only reports, false also repairs safe differences
             */
            dry_run: boolean;
            /**
             * Product
             * @description id or slug of one product; all products if omitted
             * @default null
             */
            product?: string | null;
        };
        /**
         * OfferedPrice
         * @description A price that the product is sold at.
         *
         *     `featured` marks it as the most popular; only one can be. `trial_days` is how long a
         *     subscription is free at first, and `most` how many can be bought at once (null: one).
         *     `billing_address` and `tax_ids` say what the checkout asks for, `automatic_tax` has Stripe work
         *     out the tax (set up Stripe Tax first), and `promotion_codes` counts only if the product takes
         *     promotion codes.
         */
        OfferedPrice: {
            /** Price */
            price: string;
            /**
             * Label
             * @default null
             */
            label?: string | null;
            /**
             * Featured
             * @default false
             */
            featured?: boolean;
            /**
             * Trial Days
             * @default null
             */
            trial_days?: number | null;
            /**
             * Most
             * @default null
             */
            most?: number | null;
            /**
             * Billing Address
             * @default false
             */
            billing_address?: boolean;
            /**
             * Tax Ids
             * @default false
             */
            tax_ids?: boolean;
            /**
             * Promotion Codes
             * @default true
             */
            promotion_codes?: boolean;
            /**
             * Automatic Tax
             * @default false
             */
            automatic_tax?: boolean;
        };
        /**
         * OfferedPrices
         * @description All prices that the product is sold at, in order. A list by itself is taken, too.
         */
        OfferedPrices: {
            /** Data */
            data: components["schemas"]["OfferedPrice"][];
        };
        /** OneGift */
        OneGift: {
            /**
             * Email
             * Format: email
             */
            email: string;
            /**
             * Until
             * @default null
             */
            until?: string | null;
            /**
             * Reason
             * @default null
             */
            reason?: string | null;
        };
        /**
         * PastMerge
         * @description A user who was merged into this one. `moved` counts the rows that moved, by table and column.
         *     `obstacle` says why the merge can't be undone, null if it can.
         */
        PastMerge: {
            /** From User */
            from_user: number;
            /** Email */
            email: string;
            /** Name */
            name: string | null;
            /** Reason */
            reason: string | null;
            /** Merged By */
            merged_by: string | null;
            /**
             * Merged At
             * Format: date-time
             */
            merged_at: string;
            /** Moved */
            moved: {
                [key: string]: number;
            };
            /** Obstacle */
            obstacle: string | null;
        };
        /** PastMergeList */
        PastMergeList: {
            /** Data */
            data: components["schemas"]["PastMerge"][];
            /** Next */
            next: string | null;
        };
        /**
         * Picture
         * @description An uploaded picture. `id` is the SHA-256 of its largest file, and `url` that file's address,
         *     for `image_url` and the Markdown of texts. While nothing shows it, it is deleted after a day.
         */
        Picture: {
            /** Id */
            id: string;
            /** Url */
            url: string;
            /** Urls */
            urls: string[];
            /** Shown By */
            shown_by: components["schemas"]["PicturePlace"][];
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
        };
        /** PictureList */
        PictureList: {
            /** Data */
            data: components["schemas"]["Picture"][];
            /** Next */
            next: string | null;
        };
        /**
         * PicturePlace
         * @description What shows a picture: a `product`, a `lesson`, the `sales_page` of the product with the `id`,
         *     a `text` of members' pages, or the `brand`, where `id` is the setting, such as `logo_url`.
         */
        PicturePlace: {
            /** Kind */
            kind: string;
            /** Id */
            id: string;
        };
        /**
         * PlanOf
         * @description Which product a plan in the file is, by id; null for none: its people only get an account.
         */
        PlanOf: {
            /** Plan */
            plan: string;
            /** Product */
            product: string | null;
        };
        /**
         * Policy
         * @description The cells in force, and the last change to them.
         */
        Policy: {
            /** Trialing */
            trialing: boolean;
            /** Past Due Days */
            past_due_days: number | null;
            /** Unpaid */
            unpaid: boolean;
            /** Paused */
            paused: boolean;
            /** Incomplete */
            incomplete: boolean;
            /** Collection Paused */
            collection_paused: boolean;
            /** Full Refund */
            full_refund: boolean;
            /** Partial Refund */
            partial_refund: boolean;
            /** Dispute Opened */
            dispute_opened: boolean;
            /** Dispute Lost */
            dispute_lost: boolean;
            change: components["schemas"]["PolicyChange"] | null;
        };
        /**
         * PolicyCells
         * @description The cells to set. Omitted cells return to the default (for a product, the site's cell).
         *
         *     True means access. `past_due_days` is the grace period in days, null for no limit.
         */
        PolicyCells: {
            /**
             * Trialing
             * @description the subscription is in a trial
             * @default true
             */
            trialing?: boolean;
            /**
             * Past Due Days
             * @description days of grace after a failed renewal, null for no limit
             * @default 14
             */
            past_due_days?: number | null;
            /**
             * Unpaid
             * @description Stripe stopped trying to collect the payment
             * @default false
             */
            unpaid?: boolean;
            /**
             * Paused
             * @description the subscription is paused
             * @default false
             */
            paused?: boolean;
            /**
             * Incomplete
             * @description the first payment hasn't succeeded yet
             * @default false
             */
            incomplete?: boolean;
            /**
             * Collection Paused
             * @description payment collection is paused
             * @default true
             */
            collection_paused?: boolean;
            /**
             * Full Refund
             * @description a purchase was refunded in full
             * @default false
             */
            full_refund?: boolean;
            /**
             * Partial Refund
             * @description a purchase was refunded in part
             * @default true
             */
            partial_refund?: boolean;
            /**
             * Dispute Opened
             * @description a purchase is disputed
             * @default true
             */
            dispute_opened?: boolean;
            /**
             * Dispute Lost
             * @description a dispute about a purchase was lost
             * @default false
             */
            dispute_lost?: boolean;
        };
        /**
         * PolicyChange
         * @description The progress of applying a saved change to everyone: waiting, applying or done.
         */
        PolicyChange: {
            /** Id */
            id: number;
            /** Product Id */
            product_id: string | null;
            /** Before */
            before: {
                [key: string]: unknown;
            };
            /** After */
            after: {
                [key: string]: unknown;
            };
            /** State */
            state: string;
            /** Checked */
            checked: number;
            /** Granted */
            granted: number;
            /** Ended */
            ended: number;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Finished At */
            finished_at: string | null;
        };
        /**
         * PolicyEffect
         * @description What would happen to one person's access to one product: `gains`, `loses`, or `moves` if its
         *     end changes. `user_id` is null for someone who isn't a user yet.
         */
        PolicyEffect: {
            /** User Id */
            user_id: number | null;
            /** Email */
            email: string | null;
            /** Product Id */
            product_id: string;
            /** Product */
            product: string;
            /** Outcome */
            outcome: string;
            /** Source Ids */
            source_ids: string[];
            /** Reason */
            reason: string;
            /** Until */
            until: string | null;
        };
        /**
         * PolicyPreview
         * @description Who would be affected: counts over everyone, and `data` with the first of them, losses
         *     first.
         */
        PolicyPreview: {
            /** Checked */
            checked: number;
            /** Gains */
            gains: number;
            /** Loses */
            loses: number;
            /** Moves */
            moves: number;
            /** Data */
            data: components["schemas"]["PolicyEffect"][];
        };
        /**
         * PortalFor
         * @description Whose billing to open. `customer` picks one of several Stripe customers.
         */
        PortalFor: {
            /**
             * Email
             * Format: email
             */
            email: string;
            /**
             * Customer
             * @default null
             */
            customer?: string | null;
        };
        /**
         * PortalSession
         * @description `url` is for this customer only and expires within minutes.
         */
        PortalSession: {
            /** Url */
            url: string;
            /** Customer */
            customer: string;
        };
        /**
         * Preview
         * @description `counts` covers all records by outcome, `records` holds the first 1,000.
         */
        Preview: {
            /** Id */
            id: string;
            /** Product Id */
            product_id: string;
            /** Stripe Product */
            stripe_product: string;
            /** State */
            state: string;
            /** Counts */
            counts: {
                [key: string]: number;
            };
            /** Records */
            records: components["schemas"]["PreviewRecord"][];
        };
        /** PreviewOf */
        PreviewOf: {
            /** Stripe Product */
            stripe_product: string;
        };
        /**
         * PreviewRecord
         * @description One subscription or order of one customer: what will happen and why.
         */
        PreviewRecord: {
            /** Source Id */
            source_id: string;
            /** Customer Id */
            customer_id: string | null;
            /** Email */
            email: string | null;
            /** Name */
            name: string | null;
            /** Outcome */
            outcome: string;
            /** Reason */
            reason: string;
        };
        /** PriceList */
        PriceList: {
            /** Data */
            data: components["schemas"]["ShownPrice"][];
            /** Next */
            next: string | null;
        };
        /**
         * Problem
         * @description An error (RFC 9457).
         */
        Problem: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** Status */
            status: number;
            /** Code */
            code: string;
            /** Detail */
            detail: string;
        };
        /**
         * Product
         * @description A product on the site. `content` is Markdown.
         *
         *     `/buy/<slug>` leads wherever `purchase_method` and `checkout_target` point. With `show_locked`,
         *     people without access see a locked card once there is a way to buy the product. With
         *     `one_trial`, whoever had free days of the product isn't given any again.
         *     `opens_collection` is the collection that whoever has the product has, too.
         */
        Product: {
            /** Id */
            id: string;
            /** Slug */
            slug: string;
            /** Name */
            name: string;
            /** Description */
            description: string;
            /** Image Url */
            image_url: string | null;
            /** Status */
            status: string;
            /** Access Mode */
            access_mode: string;
            /** Access Mail */
            access_mail: boolean;
            /** Content */
            content: string;
            /** Content Url */
            content_url: string | null;
            /** Purchase Method */
            purchase_method: string;
            /** Checkout Target */
            checkout_target: string;
            /** External Url */
            external_url: string | null;
            /** Show Locked */
            show_locked: boolean;
            /** One Trial */
            one_trial: boolean;
            /** Opens Collection */
            opens_collection: string | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Updated At
             * Format: date-time
             */
            updated_at: string;
        };
        /**
         * ProductChanges
         * @description What can be changed; anything left out stays as it is.
         */
        ProductChanges: {
            /**
             * Name
             * @default null
             */
            name?: string | null;
            /**
             * Slug
             * @default null
             */
            slug?: string | null;
            /**
             * Description
             * @default null
             */
            description?: string | null;
            /**
             * Image Url
             * @default null
             */
            image_url?: string | null;
            /**
             * Status
             * @default null
             */
            status?: ("draft" | "live") | null;
            /**
             * Access Mode
             * @default null
             */
            access_mode?: ("assigned" | "signed_in" | "public") | null;
            /**
             * Access Mail
             * @default null
             */
            access_mail?: boolean | null;
            /**
             * Content
             * @default null
             */
            content?: string | null;
            /**
             * Content Url
             * @default null
             */
            content_url?: string | null;
            /**
             * Purchase Method
             * @default null
             */
            purchase_method?: ("none" | "sales_page" | "checkout") | null;
            /**
             * Checkout Target
             * @default null
             */
            checkout_target?: ("stripe" | "payment_link" | "external") | null;
            /**
             * External Url
             * @default null
             */
            external_url?: string | null;
            /**
             * Show Locked
             * @default null
             */
            show_locked?: boolean | null;
            /**
             * One Trial
             * @default null
             */
            one_trial?: boolean | null;
        };
        /**
         * ProductFigures
         * @description How many people get a product: without an end, or until when at most.
         */
        ProductFigures: {
            /** Product Id */
            product_id: string;
            /** People */
            people: number;
            /** Without End */
            without_end: number;
            /** Last End */
            last_end: string | null;
        };
        /** ProductList */
        ProductList: {
            /** Data */
            data: components["schemas"]["Product"][];
            /** Next */
            next: string | null;
        };
        /**
         * ProductPolicy
         * @description `overrides` are the cells that the product sets itself.
         */
        ProductPolicy: {
            /** Trialing */
            trialing: boolean;
            /** Past Due Days */
            past_due_days: number | null;
            /** Unpaid */
            unpaid: boolean;
            /** Paused */
            paused: boolean;
            /** Incomplete */
            incomplete: boolean;
            /** Collection Paused */
            collection_paused: boolean;
            /** Full Refund */
            full_refund: boolean;
            /** Partial Refund */
            partial_refund: boolean;
            /** Dispute Opened */
            dispute_opened: boolean;
            /** Dispute Lost */
            dispute_lost: boolean;
            change: components["schemas"]["PolicyChange"] | null;
            /** Overrides */
            overrides: {
                [key: string]: unknown;
            };
        };
        /**
         * Purchase
         * @description A checkout session, or an invoice without one. `state` follows the money. `user` is the
         *     user's id; `email` their address, or the buyer's if nobody has an account yet.
         */
        Purchase: {
            /** Id */
            id: string;
            /** State */
            state: string;
            /** User */
            user: number | null;
            /** Email */
            email: string | null;
            /** Customer */
            customer: string | null;
            /** Amount */
            amount: number;
            /** Amount Refunded */
            amount_refunded: number;
            /** Amount Credited */
            amount_credited: number;
            /** Currency */
            currency: string | null;
            /** Dispute Status */
            dispute_status: string | null;
            /** Payment Intent */
            payment_intent: string | null;
            /** Invoice */
            invoice: string | null;
            /** Lines */
            lines: components["schemas"]["PurchaseLine"][];
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Paid At */
            paid_at: string | null;
            /** Livemode */
            livemode: boolean;
        };
        /**
         * PurchaseLine
         * @description `product_name` is Stripe's.
         */
        PurchaseLine: {
            /** Stripe Product */
            stripe_product: string;
            /** Product Name */
            product_name: string | null;
            /** Price */
            price: string;
            /** Quantity */
            quantity: number | null;
            /** Amount */
            amount: number;
        };
        /** PurchaseList */
        PurchaseList: {
            /** Data */
            data: components["schemas"]["Purchase"][];
            /** Next */
            next: string | null;
        };
        /**
         * PurchaseSpeed
         * @description `goal` is the share in percent that has to open within `within_seconds`. `windows` are the
         *     last day, 7 and 28 days, `days` begin with the latest, `slowest` are at most ten of 28 days.
         */
        PurchaseSpeed: {
            /** Within Seconds */
            within_seconds: number;
            /** Goal */
            goal: number;
            /** Windows */
            windows: components["schemas"]["SpeedWindow"][];
            /** Days */
            days: components["schemas"]["SpeedDay"][];
            /** Slowest */
            slowest: components["schemas"]["SlowPurchase"][];
        };
        /**
         * Reconciliation
         * @description `state` is queued, running, done or failed. `counts` holds the differences by class, and how
         *     many were repaired or failed to be.
         */
        Reconciliation: {
            /** Id */
            id: string;
            /** Dry Run */
            dry_run: boolean;
            /** Product */
            product: string | null;
            /** Cause */
            cause: string;
            /** State */
            state: string;
            /** Error */
            error: string | null;
            /** Progress */
            progress: {
                [key: string]: unknown;
            };
            /** Counts */
            counts: {
                [key: string]: number;
            };
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Started At */
            started_at: string | null;
            /** Finished At */
            finished_at: string | null;
            /** Workflow Id */
            workflow_id: string;
        };
        /** ReconciliationList */
        ReconciliationList: {
            /** Data */
            data: components["schemas"]["Reconciliation"][];
            /** Next */
            next: string | null;
        };
        /**
         * Removed
         * @description What happened to the members.
         */
        Removed: {
            /** Active Subscriptions */
            active_subscriptions: number;
            /** Kept */
            kept: number;
            /** Ended */
            ended: number;
            /** Converted */
            converted: number;
        };
        /**
         * Replacement
         * @description The `id` or `url` of the picture to show instead.
         */
        Replacement: {
            /** By */
            by: string;
        };
        /**
         * Report
         * @description A comparison with one page of its differences.
         */
        Report: {
            /** Id */
            id: string;
            /** Dry Run */
            dry_run: boolean;
            /** Product */
            product: string | null;
            /** Cause */
            cause: string;
            /** State */
            state: string;
            /** Error */
            error: string | null;
            /** Progress */
            progress: {
                [key: string]: unknown;
            };
            /** Counts */
            counts: {
                [key: string]: number;
            };
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Started At */
            started_at: string | null;
            /** Finished At */
            finished_at: string | null;
            /** Workflow Id */
            workflow_id: string;
            /** Differences */
            differences: components["schemas"]["Difference"][];
            /** Next */
            next: string | null;
        };
        /**
         * ShownPrice
         * @description `amount` is in the currency's minor unit, null if it varies. `sellable` is false while the
         *     price or its product is archived in Stripe. `error` is why Stripe last refused to sell it.
         */
        ShownPrice: {
            /** Price */
            price: string;
            /** Label */
            label: string | null;
            /** Featured */
            featured: boolean;
            /** Trial Days */
            trial_days: number | null;
            /** Most */
            most: number | null;
            /** Billing Address */
            billing_address: boolean;
            /** Tax Ids */
            tax_ids: boolean;
            /** Promotion Codes */
            promotion_codes: boolean;
            /** Automatic Tax */
            automatic_tax: boolean;
            /** Amount */
            amount: number | null;
            /** Currency */
            currency: string;
            /** Interval */
            interval: string | null;
            /** Interval Count */
            interval_count: number | null;
            /** Sellable */
            sellable: boolean;
            /** Error */
            error: string | null;
        };
        /**
         * SlowPurchase
         * @description A purchase that was late. `seconds` is null if no event reported it, and a comparison found
         *     it.
         */
        SlowPurchase: {
            /**
             * At
             * Format: date-time
             */
            at: string;
            /** Seconds */
            seconds: number | null;
            /** Event */
            event: string | null;
            /** User Id */
            user_id: number | null;
            /** Product */
            product: string | null;
        };
        /** SpanList */
        SpanList: {
            /** Data */
            data: components["schemas"]["AccessSpan"][];
            /** Next */
            next: string | null;
        };
        /**
         * SpeedDay
         * @description A day in UTC. Half of its purchases opened within `median_seconds`, 95 in a hundred within
         *     `p95_seconds`; null where no event reported them.
         */
        SpeedDay: {
            /** Purchases */
            purchases: number;
            /** In Time */
            in_time: number;
            /** Share */
            share: number | null;
            /**
             * Day
             * Format: date
             */
            day: string;
            /** Median Seconds */
            median_seconds: number | null;
            /** P95 Seconds */
            p95_seconds: number | null;
        };
        /**
         * SpeedWindow
         * @description The last days together. `late_left` is how many more purchases may be late while the goal is
         *     still met.
         */
        SpeedWindow: {
            /** Purchases */
            purchases: number;
            /** In Time */
            in_time: number;
            /** Share */
            share: number | null;
            /** Days */
            days: number;
            /** Goal Met */
            goal_met: boolean;
            /** Late Left */
            late_left: number;
        };
        /**
         * StartImport
         * @description The preview to carry out.
         */
        StartImport: {
            /** Preview */
            preview: number;
        };
        /**
         * StatusOf
         * @description What a status in the file means if it isn't known here.
         */
        StatusOf: {
            /** Status */
            status: string;
            /**
             * Meaning
             * @enum {string}
             */
            meaning: "goes_on" | "over";
        };
        /**
         * Step
         * @description One source of access, with everything that led to it or followed from it. `grant` is null for
         *     a purchase that didn't give access. `explanation` says when and why access ends, or why there is
         *     none.
         */
        Step: {
            /** Explanation */
            explanation: string;
            /** Grant */
            grant: {
                [key: string]: unknown;
            } | null;
            /** Stripe Object */
            stripe_object: {
                [key: string]: unknown;
            } | null;
            /** Stripe Url */
            stripe_url: string | null;
            /** Workflow Id */
            workflow_id: string | null;
            /** Workflow Url */
            workflow_url: string | null;
            /** Events */
            events: {
                [key: string]: unknown;
            }[];
            /** Activities */
            activities: {
                [key: string]: unknown;
            }[];
            /** Mails */
            mails: {
                [key: string]: unknown;
            }[];
        };
        /**
         * StripePrice
         * @description `unit_amount` is in the currency's minor unit, null if the buyer or tiers set the amount.
         */
        StripePrice: {
            /** Id */
            id: string;
            /** Active */
            active: boolean;
            /** Type */
            type: string;
            /** Currency */
            currency: string;
            /** Unit Amount */
            unit_amount: number | null;
            /** Interval */
            interval: string | null;
            /** Interval Count */
            interval_count: number | null;
            /** Nickname */
            nickname: string | null;
        };
        /**
         * StripeProduct
         * @description A product in the Stripe account. `linked_to` holds ids of the site's products.
         */
        StripeProduct: {
            /** Id */
            id: string;
            /** Name */
            name: string;
            /** Description */
            description: string | null;
            /** Image Url */
            image_url: string | null;
            /** Active */
            active: boolean;
            /** Active Subscriptions */
            active_subscriptions: number;
            /** Counted At */
            counted_at: string | null;
            /** Linked To */
            linked_to: string[];
            /** Prices */
            prices: components["schemas"]["StripePrice"][];
        };
        /** StripeProductList */
        StripeProductList: {
            /** Data */
            data: components["schemas"]["StripeProduct"][];
            /** Next */
            next: string | null;
        };
        /**
         * SubscribedItem
         * @description `product_name` is Stripe's.
         */
        SubscribedItem: {
            /** Stripe Product */
            stripe_product: string;
            /** Product Name */
            product_name: string | null;
            /** Price */
            price: string;
            /** Quantity */
            quantity: number | null;
        };
        /**
         * Subscription
         * @description `status` is Stripe's; `state` says what matters most about it. `amount` is for each period,
         *     before discounts and taxes, and null where it varies. `user` is the user's id; `email` their
         *     address, or the customer's if nobody has an account yet.
         */
        Subscription: {
            /** Id */
            id: string;
            /** State */
            state: string;
            /** Status */
            status: string;
            /** User */
            user: number | null;
            /** Email */
            email: string | null;
            /** Customer */
            customer: string;
            /** Amount */
            amount: number | null;
            /** Currency */
            currency: string | null;
            /** Interval */
            interval: string | null;
            /** Interval Count */
            interval_count: number | null;
            /** Items */
            items: components["schemas"]["SubscribedItem"][];
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Period End */
            period_end: string | null;
            /** Trial End */
            trial_end: string | null;
            /** Scheduled End */
            scheduled_end: string | null;
            /** Past Due Since */
            past_due_since: string | null;
            /** Ended At */
            ended_at: string | null;
            /** Livemode */
            livemode: boolean;
        };
        /** SubscriptionList */
        SubscriptionList: {
            /** Data */
            data: components["schemas"]["Subscription"][];
            /** Next */
            next: string | null;
        };
        /** Team */
        Team: {
            /** Data */
            data: components["schemas"]["TeamMember"][];
            /** Next */
            next: string | null;
            /** Second Factor Required */
            second_factor_required: boolean;
        };
        /**
         * TeamMember
         * @description An owner, an admin or support.
         */
        TeamMember: {
            /** Id */
            id: number;
            /** Email */
            email: string;
            /** Role */
            role: string;
            /** Authenticator App */
            authenticator_app: boolean;
            /** Passkeys */
            passkeys: number;
            /**
             * Lacks Second Factor
             * @description has neither an authenticator app nor a passkey
             */
            lacks_second_factor: boolean;
        };
        /**
         * TokenRequest
         * @description Who is to open what, and where.
         */
        TokenRequest: {
            /**
             * Product
             * @description slug or id of the product
             */
            product: string;
            /**
             * Email
             * @description the person's email address
             * @default null
             */
            email?: string | null;
            /**
             * User
             * @description or the user's id
             * @default null
             */
            user?: number | null;
            /**
             * Audience
             * @description the server that the token is for, such as its address: it has to check this
             */
            audience: string;
        };
        /**
         * UndoImport
         * @description The preview to carry out, and whether accounts that nobody used are deleted.
         */
        UndoImport: {
            /** Preview */
            preview: string;
            /**
             * Delete Accounts
             * @default false
             */
            delete_accounts?: boolean;
        };
        /**
         * UndoPreview
         * @description What taking an import back comes to. `people` lose a product altogether. `access` says what
         *     becomes of what the import gave, counting each person and product once: `taken_back`, `restored`
         *     to the end that it had before, or why it stays. `accounts` says which of those that it created
         *     can be `deleted`, and why others stay; `labels`, how many people lose which label. `preview`
         *     names all of this; `until` is how long the import can be taken back.
         */
        UndoPreview: {
            /** Preview */
            preview: string;
            /** People */
            people: number;
            /** Products */
            products: components["schemas"]["UndoneProduct"][];
            /** Access */
            access: {
                [key: string]: number;
            };
            /** Accounts */
            accounts: {
                [key: string]: number;
            };
            /** Labels */
            labels: {
                [key: string]: number;
            };
            /**
             * Until
             * Format: date-time
             */
            until: string;
        };
        /**
         * UndoneProduct
         * @description How many people lose the complimentary access to a product, and how many of them keep the
         *     product by a purchase or a collection.
         */
        UndoneProduct: {
            /** Product Id */
            product_id: string;
            /** People */
            people: number;
            /** By Purchase */
            by_purchase: number;
            /** By Collection */
            by_collection: number;
        };
        /**
         * User
         * @description A user. `locale` is the language that they read, as a BCP 47 tag; null if it isn't known.
         *     `labels` are what the team calls them.
         */
        User: {
            /** Id */
            id: number;
            /** Email */
            email: string;
            /** Name */
            name: string | null;
            /** Role */
            role: string;
            /** Locale */
            locale: string | null;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /** Customers */
            customers: components["schemas"]["Customer"][];
            /** Communities */
            communities: components["schemas"]["CommunityAccount"][];
            /** Labels */
            labels: string[];
        };
        /** UserList */
        UserList: {
            /** Data */
            data: components["schemas"]["User"][];
            /** Next */
            next: string | null;
        };
        /**
         * WebhookProduct
         * @description `slug` and `name` are null once the product was deleted.
         */
        WebhookProduct: {
            /** Id */
            id: string;
            /** Slug */
            slug: string | null;
            /** Name */
            name: string | null;
        };
        /**
         * WebhookSource
         * @description What it comes from. `id` is Stripe's, or a collection's.
         */
        WebhookSource: {
            type: components["schemas"]["GrantSource"];
            /** Id */
            id: string | null;
        };
        /**
         * WebhookUser
         * @description `email` is null once the user was erased.
         */
        WebhookUser: {
            /** Id */
            id: number;
            /** Email */
            email: string | null;
        };
        /**
         * Who
         * @description A product and a person.
         */
        Who: {
            /**
             * Product
             * @description slug or id of the product
             */
            product: string;
            /**
             * Email
             * @description the person's email address
             * @default null
             */
            email?: string | null;
            /**
             * User
             * @description or the user's id
             * @default null
             */
            user?: number | null;
        };
        /**
         * WholeEvent
         * @description `body` is what Stripe sent, null once it has been deleted.
         */
        WholeEvent: {
            /** Id */
            id: string;
            /** Type */
            type: string;
            /** Object Id */
            object_id: string;
            /** State */
            state: string;
            /** Attempts */
            attempts: number;
            /** Error */
            error: string | null;
            /** Source */
            source: string;
            /**
             * Created At
             * Format: date-time
             */
            created_at: string;
            /**
             * Received At
             * Format: date-time
             */
            received_at: string;
            /** Handled At */
            handled_at: string | null;
            /** Ignored Reason */
            ignored_reason: string | null;
            /** Body */
            body: string | null;
        };
        /**
         * Why
         * @description The chain behind the answer of `/access`: live sources first, then ended ones.
         */
        Why: {
            /** Access */
            access: boolean;
            /** Until */
            until: string | null;
            /** Explanation */
            explanation: string;
            /** Product */
            product: string;
            /** User */
            user: number | null;
            /** Chain */
            chain: components["schemas"]["Step"][];
        };
        AccessGrantedEvent: {
            /** @constant */
            type: "access.granted";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutAccess"];
        };
        AccessEndingEvent: {
            /** @constant */
            type: "access.ending";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutAccess"];
        };
        AccessEndedEvent: {
            /** @constant */
            type: "access.ended";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutEnd"];
        };
        PurchaseCompletedEvent: {
            /** @constant */
            type: "purchase.completed";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutPurchase"];
        };
        PurchaseRefundedEvent: {
            /** @constant */
            type: "purchase.refunded";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutRefund"];
        };
        SubscriptionStartedEvent: {
            /** @constant */
            type: "subscription.started";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutPurchase"];
        };
        SubscriptionCancelledEvent: {
            /** @constant */
            type: "subscription.cancelled";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutCancellation"];
        };
        SubscriptionResumedEvent: {
            /** @constant */
            type: "subscription.resumed";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutPurchase"];
        };
        SubscriptionPastDueEvent: {
            /** @constant */
            type: "subscription.past_due";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutPurchase"];
        };
        SubscriptionRecoveredEvent: {
            /** @constant */
            type: "subscription.recovered";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutPurchase"];
        };
        UserCreatedEvent: {
            /** @constant */
            type: "user.created";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutUser"];
        };
        UserMergedEvent: {
            /** @constant */
            type: "user.merged";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutMerge"];
        };
        UserErasedEvent: {
            /** @constant */
            type: "user.erased";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutUser"];
        };
        TestEvent: {
            /** @constant */
            type: "test";
            /** @constant */
            version: 1;
            /** Format: date-time */
            timestamp: string;
            data: components["schemas"]["AboutNothing"];
        };
        WebhookEvent: components["schemas"]["AccessGrantedEvent"] | components["schemas"]["AccessEndingEvent"] | components["schemas"]["AccessEndedEvent"] | components["schemas"]["PurchaseCompletedEvent"] | components["schemas"]["PurchaseRefundedEvent"] | components["schemas"]["SubscriptionStartedEvent"] | components["schemas"]["SubscriptionCancelledEvent"] | components["schemas"]["SubscriptionResumedEvent"] | components["schemas"]["SubscriptionPastDueEvent"] | components["schemas"]["SubscriptionRecoveredEvent"] | components["schemas"]["UserCreatedEvent"] | components["schemas"]["UserMergedEvent"] | components["schemas"]["UserErasedEvent"] | components["schemas"]["TestEvent"];
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    get_access: {
        parameters: {
            query: {
                product: string;
                email?: string;
                user?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Access"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_access: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Who"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Access"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_why: {
        parameters: {
            query: {
                product: string;
                email?: string;
                user?: number;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Why"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_access: {
        parameters: {
            query: {
                limit?: number;
                after?: string;
                on: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SpanList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_users_id_access: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                product?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SpanList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_access_tokens: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TokenRequest"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AccessToken"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_audit: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                actor?: string;
                action?: "signed_in" | "sign_in_failed" | "second_factor_asked" | "signed_out" | "sessions_ended" | "factor_added" | "factor_removed" | "recovery_codes_renewed" | "password_changed" | "email_change_asked" | "email_changed" | "purchase_claimed" | "portal_opened" | "checkout_opened" | "page_denied" | "forged_form" | "token_denied" | "scope_denied" | "token_created" | "token_revoked" | "client_created" | "client_changed" | "client_deleted" | "client_secret_created" | "client_secret_revoked" | "protected_site_added" | "protected_site_changed" | "protected_site_removed" | "consent_given" | "consent_withdrawn" | "exported" | "impersonation_started" | "impersonation_ended" | "settings_changed" | "mail_settings_changed" | "role_changed" | "owner_recovered" | "connection_changed" | "connection_removed" | "connection_repaired" | "policy_changed" | "product_created" | "product_changed" | "product_deleted" | "categories_changed" | "collection_created" | "collection_changed" | "collection_deleted" | "lessons_changed" | "lesson_deleted" | "sales_page_changed" | "sales_page_deleted" | "checkout_changed" | "link_changed" | "link_removed" | "access_given" | "access_ended" | "hold_lifted" | "users_imported" | "users_welcomed" | "import_undone" | "users_merged" | "merge_asked" | "merge_agreed" | "merge_declined" | "merge_undone" | "purchase_assigned" | "match_dismissed" | "second_subscription_allowed" | "user_erased" | "labels_changed" | "picture_replaced" | "picture_deleted" | "note_added" | "note_deleted" | "link_mailed" | "mail_resent" | "reminder_sent" | "invited_back" | "promotion_made" | "event_resent" | "event_ignored" | "comparison_started" | "repair_started" | "secrets_rotated" | "site_adopted" | "site_restored" | "site_scrubbed" | "community_added" | "community_changed" | "community_removed" | "community_joined" | "community_left" | "webhook_added" | "webhook_changed" | "webhook_secret_renewed" | "webhook_deleted" | "webhooks_resent";
                since?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditEventList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_checkout: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checkout"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_products_id_checkout: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CheckoutChoice"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Checkout"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_prices: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PriceList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_products_id_prices: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["OfferedPrices"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PriceList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_portal_sessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PortalFor"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PortalSession"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_checkout_sessions: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["CheckoutFor"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CheckoutSession"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_collections: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CollectionList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_collections: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewCollection"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Collection"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_collections_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Collection"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_collections_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patch_collections_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["CollectionChanges"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Collection"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_collections_id_grants: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HolderList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_collections_id_grants: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewGrant"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Holder"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_collections_id_grants_holder: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                holder: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_products_id_grants_bulk: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Gifts"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GiftsDone"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_customers: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                product?: string;
                price?: string;
                user?: number;
                livemode?: boolean;
                since?: string;
                until?: string;
                search?: string;
                state?: "known" | "unknown" | "deleted";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CustomerList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_customers_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["BillingCustomer"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_activities: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                type?: string;
                user?: number;
                product?: string;
                cause?: string;
                since?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ActivityList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_matches: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                state?: "open" | "accepted" | "dismissed" | "settled";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MatchList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_matches_id_accept: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Acceptance"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Match"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_matches_id_dismiss: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Match"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_users_id_merge: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["MergeWith"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Merge"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_users_id_merge_requests: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MergeRequestList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_users_id_merge_requests: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AskToMerge"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MergeRequest"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_users_id_merges: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PastMergeList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_users_id_unmerge: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Merge"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_users_id_addresses: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AddressList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_events: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                state?: "waiting" | "relayed" | "handled" | "ignored" | "failed";
                type?: string;
                object?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_events_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WholeEvent"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_events_id_resend: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Event"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_events_id_ignore: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Ignoring"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Event"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_lessons: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LessonList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_products_id_lessons: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewLesson"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lesson"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_lessons_lesson: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                lesson: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lesson"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_products_id_lessons_lesson: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                lesson: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patch_products_id_lessons_lesson: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
                lesson: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["LessonChanges"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Lesson"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_products_id_lesson_order: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LessonOrder"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LessonList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_products_id_link_preview: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PreviewOf"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Preview"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_link: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Link"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_products_id_link: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["LinkTo"];
            };
        };
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Link"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_products_id_link: {
        parameters: {
            query?: {
                members?: "keep" | "end" | "complimentary";
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Removed"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_member_imports: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewMemberImport"];
            };
        };
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberImport"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_member_imports_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberImport"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_member_imports_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_member_imports_id_lines: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                outcome?: "given" | "has_it" | "bought" | "left_to_link" | "over" | "person_only" | "refused";
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ImportedLineList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_member_imports_id_start: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["StartImport"];
            };
        };
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberImport"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_member_imports_id_undo: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UndoPreview"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_member_imports_id_undo: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["UndoImport"];
            };
        };
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MemberImport"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_metrics: {
        parameters: {
            query?: {
                since?: string;
                until?: string;
                interval?: "day" | "week" | "month";
                product?: string;
                currency?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["MetricSeries"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_pictures: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PictureList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_pictures: {
        parameters: {
            query?: {
                use?: "photo" | "logo" | "icon";
            };
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Picture"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_pictures_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Picture"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_pictures_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_pictures_id_replace: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Replacement"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Picture"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_policy: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Policy"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_policy: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PolicyCells"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Policy"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_policy_preview: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PolicyCells"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PolicyPreview"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_policy_changes_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PolicyChange"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_policy: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProductPolicy"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_products_id_policy: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PolicyCells"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProductPolicy"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_products_id_policy_preview: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["PolicyCells"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PolicyPreview"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ProductList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_products: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewProduct"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Product"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Product"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_products_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            204: {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    patch_products_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ProductChanges"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Product"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_stripe_products: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                search?: string;
                refresh?: boolean;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["StripeProductList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_purchases: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                product?: string;
                price?: string;
                user?: number;
                livemode?: boolean;
                since?: string;
                until?: string;
                search?: string;
                state?: "completed" | "returned" | "open" | "pending" | "failed" | "written_off" | "paid" | "partly_refunded" | "refunded" | "partly_credited" | "credited" | "disputed" | "dispute_lost";
                customer?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PurchaseList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_purchases_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Purchase"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_reconciliations: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReconciliationList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_reconciliations: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewReconciliation"];
            };
        };
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reconciliation"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_reconciliations_id: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_reconciliations_id_repair: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Choice"];
            };
        };
        responses: {
            /** @description Done */
            202: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Reconciliation"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_speed: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PurchaseSpeed"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_subscriptions: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                product?: string;
                price?: string;
                user?: number;
                livemode?: boolean;
                since?: string;
                until?: string;
                search?: string;
                state?: "running" | "active" | "trialing" | "ending" | "payment_problem" | "paused" | "incomplete" | "ended" | "other";
                customer?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SubscriptionList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_subscriptions_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Subscription"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_team: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Team"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_users: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
                search?: string;
                label?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["UserList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_users_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_users_id_labels: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Labels"];
            };
        };
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["User"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_products_id_grants: {
        parameters: {
            query?: {
                limit?: number;
                after?: string;
            };
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GrantList"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_products_id_grants: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewGrant"];
            };
        };
        responses: {
            /** @description Done */
            201: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grant"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_grants_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grant"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_grants_id_lift: {
        parameters: {
            query?: never;
            header?: {
                /** @description requests with the same key get the same answer for a day */
                "Idempotency-Key"?: string;
            };
            path: {
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Done */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Grant"];
                };
            };
            /** @description What went wrong, and what to do */
            default: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    webhook_access_granted: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "access.granted";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutAccess"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_access_ending: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "access.ending";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutAccess"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_access_ended: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "access.ended";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutEnd"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_purchase_completed: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "purchase.completed";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutPurchase"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_purchase_refunded: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "purchase.refunded";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutRefund"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_subscription_started: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "subscription.started";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutPurchase"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_subscription_cancelled: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "subscription.cancelled";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutCancellation"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_subscription_resumed: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "subscription.resumed";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutPurchase"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_subscription_past_due: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "subscription.past_due";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutPurchase"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_subscription_recovered: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "subscription.recovered";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutPurchase"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_user_created: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "user.created";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutUser"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_user_merged: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "user.merged";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutMerge"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_user_erased: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "user.erased";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutUser"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
    webhook_test: {
        parameters: {
            query?: never;
            header: {
                /** @description The same each time an event is sent: what was seen can be left out */
                "webhook-id": string;
                /** @description When this attempt was made, in seconds since 1970 */
                "webhook-timestamp": string;
                /** @description By Standard Webhooks; two of them for a day after a secret was renewed */
                "webhook-signature": string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": {
                    /** @constant */
                    type: "test";
                    /** @constant */
                    version: 1;
                    /** Format: date-time */
                    timestamp: string;
                    data: components["schemas"]["AboutNothing"];
                };
            };
        };
        responses: {
            /** @description Taken. Anything else is tried again, for three days */
            "2XX": {
                headers: {
                    [name: string]: unknown;
                };
                content?: never;
            };
        };
    };
}
