-- The span that stored an event, as a W3C traceparent, where traces are on.
alter table events add column trace text;
