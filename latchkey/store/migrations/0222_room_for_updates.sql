-- Each renewal updates a subscription and its items. Where there is room beside the old version, an
-- update that changes no indexed column doesn't touch the indexes.
alter table subscriptions set (fillfactor = 80);
alter table subscription_items set (fillfactor = 70);
