-- Who was erased held their collections still, with what an admin wrote of why, and got their later
-- products.
update collection_holders set ended_at = coalesce(ended_at, now()), reason = null
  from users
 where users.id = collection_holders.user_id and erased_at is not null;
update grants set ended_at = coalesce(ended_at, now()), reason = null, held = true,
       end_reason = coalesce(end_reason, 'user_erased')
  from users
 where users.id = grants.user_id and erased_at is not null and source = 'collection';
