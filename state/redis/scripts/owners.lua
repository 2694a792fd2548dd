-- Owners in one partition (Store.owners).
--
-- KEYS  1 leased  2 owners
--
-- Answers owner, when its leases end, how many it holds here, and so on.

local leased, owners = unpack(KEYS)
local found = {}
local all = redis.call('HGETALL', owners)
for i = 1, #all, 2 do
  local tag = redis.sha1hex(all[i])
  found[#found + 1] = all[i]
  found[#found + 1] = all[i + 1]
  found[#found + 1] = redis.call('ZLEXCOUNT', leased, '[' .. tag, '(' .. tag .. ':')
end
return found
