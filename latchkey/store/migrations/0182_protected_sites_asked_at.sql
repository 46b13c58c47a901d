-- When a protected site's web server last asked here, to within five minutes.
alter table protected_sites add column asked_at timestamptz;
