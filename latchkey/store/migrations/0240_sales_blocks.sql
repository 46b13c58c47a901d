-- A sales page in blocks, in their order: latchkey/store/products/sales_blocks.py says what each kind
-- holds. Null: a page from before, shown as its picture, its text and its prices. Body, picture,
-- price line and button stay filled, for a release that doesn't know blocks.
alter table sales_pages add column blocks jsonb check (jsonb_typeof(blocks) = 'array');
