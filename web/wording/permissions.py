"""What a Stripe key's permissions are called and used for, as `rules/key_permissions.py` has it."""

from latchkey.languages import N_

LEVELS = (N_("read"), N_("write"))
USED_FOR = (
    N_("access and its end"),
    N_("choosing and creating products to link"),
    N_("creating a promotion code to invite people back"),
    N_("disputes"),
    N_("distinguishing credits from refunds"),
    N_("finding missed events"),
    N_("finding who has paid for a product, and creating its price"),
    N_("identifying buyers"),
    N_("letting members manage billing"),
    N_("noticing cards that expire before the next bill"),
    N_("purchases, one-off invoices and who is past due"),
    N_("receiving changes"),
    N_("refunds"),
    N_("refunds and pending payments"),
    N_("selling"),
    N_("selling, purchases and their import"),
    N_("taking lasting discounts off recurring revenue"),
    N_("the code that a link to a checkout names"),
)
