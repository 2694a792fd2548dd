-- Renews the leases of an owner in one partition (Store.beat).
--
-- KEYS  1 leased  2 owners
-- ARGV  1 owner  2 now  3 when its leases end  4 beginning of the names of heads  5 … of mailboxes
--
-- Answers id, arrivals, id, arrivals … of its executions that have mail. Their heads and mailboxes are not among
-- the KEYS, because which they are is found out here: they are only read, and while a cluster moves them to another
-- node and refuses, they are left to the next beat.

local leased, owners = unpack(KEYS)
local owner, now = ARGV[1], tonumber(ARGV[2])

local function leases(name, limit)
  local tag = redis.sha1hex(name)
  return redis.call('ZRANGEBYLEX', leased, '[' .. tag, '(' .. tag .. ':', 'LIMIT', 0, limit)
end

if redis.call('HSET', owners, owner, ARGV[3]) == 1 then -- a new one: forget the dead that have left nothing
  local all = redis.call('HGETALL', owners)
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) <= now and #leases(all[i], 1) == 0 then redis.call('HDEL', owners, all[i]) end
  end
end

local mailed = {}
for _, lease in ipairs(leases(owner, -1)) do
  local id = string.sub(lease, 57)
  if redis.pcall('EXISTS', ARGV[5] .. id) == 1 then
    local arrivals = redis.pcall('HGET', ARGV[4] .. id, 'arrivals')
    if type(arrivals) == 'string' then
      mailed[#mailed + 1] = id
      mailed[#mailed + 1] = arrivals
    end
  end
end
return mailed
