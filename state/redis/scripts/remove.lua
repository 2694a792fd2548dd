-- Removes a key-value entry (Store.remove).
--
-- KEYS  1 values  2 keys  3 scopes  4 receipt of this call
-- ARGV  1 scope  2 key  3 "1": only if the stored etag is  4, empty: if there is none
--
-- Answers 1 when it existed (also when this call had removed it before, and its answer was lost), 0 when not,
-- -1 when it was changed by somebody else.

local values, keys, scopes, receipt = unpack(KEYS)
local scope, key, fenced, expected = unpack(ARGV)

if redis.call('EXISTS', receipt) == 1 then return 1 end
local stored = redis.call('HGET', values, key)
local held = stored and string.match(stored, '^[^:]*') or ''
if fenced == '1' and held ~= expected then return -1 end
if not stored then return 0 end
redis.call('HDEL', values, key)
redis.call('ZREM', keys, key)
if redis.call('EXISTS', keys) == 0 then redis.call('ZREM', scopes, scope) end
redis.call('SET', receipt, '1', 'EX', 3600)
return 1
