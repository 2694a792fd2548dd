-- Writes a key-value entry (Store.put).
--
-- KEYS  1 values  2 keys  3 scopes
-- ARGV  1 scope  2 key  3 value  4 its new etag; a repetition brings the same
--       5 "1": only if the stored etag is  6, empty: if there is none
--
-- Answers 1, or 0 when the entry was changed by somebody else.

local values, keys, scopes = unpack(KEYS)
local scope, key, value, etag, fenced, expected = unpack(ARGV)

local stored = redis.call('HGET', values, key)
local held = stored and string.match(stored, '^[^:]*') or ''
if held == etag then return 1 end -- written before, and the answer was lost
if fenced == '1' and held ~= expected then return 0 end
redis.call('HSET', values, key, etag .. ':' .. value)
if not stored then
  redis.call('ZADD', keys, 0, key)
  redis.call('ZADD', scopes, 0, scope)
end
return 1
