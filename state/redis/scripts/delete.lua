-- with indexes
-- Removes an execution with all that belongs to it (Store.delete).
--
-- KEYS  1 due  2 leased  3 owners  4 counts  5 created  6 children  7 rare
--       8 head  9 journal  10 mail  11 seen  12 blobs
--      13 values  14 keys  15 scopes: those of its own key-value scope
--      16 receipt of this call
-- ARGV  1 id  2 now
--
-- Answers {1} when it existed (also when this call had removed it before, and its answer was lost), {0} when not;
-- {-1, owner} when it is leased, {-2, status} when it is under way, {-3} when it has a wake time.

local due, leased, owners, counts, created, children, rare, head = unpack(KEYS, 1, 8)
local receipt, scopes = KEYS[16], KEYS[15]
local id, now = ARGV[1], tonumber(ARGV[2])

if redis.call('EXISTS', receipt) == 1 then return {1} end
local h = redis.call('HMGET', head, 'status', 'owner', 'wake', 'created', 'parent')
local status, owner, wake, since, parent = unpack(h, 1, 5)
if not status then return {0} end
if owner then
  local ends = redis.call('HGET', owners, owner)
  if ends and tonumber(ends) > now then return {-1, owner} end
end
if not FINAL[status] and status ~= 'idle' then return {-2, status} end
if wake then return {-3} end

redis.call('UNLINK', head, unpack(KEYS, 9, 14)) -- first, because it frees memory and is never refused for lack of it
place(due, leased, id, owner, wake, false, false)
rank(counts, rare, id, since, status, false)
redis.call('ZREM', created, digits(since) .. id)
if parent then redis.call('ZREM', children, redis.sha1hex(parent) .. digits(since) .. id) end
redis.call('ZREM', scopes, id)
redis.call('SET', receipt, '1', 'EX', 3600)
return {1}
