-- The permits for calls to Stripe that all processes share: one row, a bucket that time refills.
-- After Stripe has limited calls, `factor` is the part of the rate that was left, and grows again.
create table stripe_rate (
    only_row boolean primary key default true check (only_row),
    level double precision not null default 0,
    refilled_at timestamptz not null default now(),
    factor double precision not null default 1,
    limited_at timestamptz not null default 'epoch',
    paused_until timestamptz not null default 'epoch'
) with (fillfactor = 10);
insert into stripe_rate default values;
