-- Sessions and used links are swept away once they are over.
create index sessions_over on sessions (expires_at);
create index used_links_over on used_links (used_at);
