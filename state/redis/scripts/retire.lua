-- An owner ends: its leases in this partition are dead at once (Store.retire).
--
-- KEYS  1 leased  2 owners
-- ARGV  1 owner

local leased, owners = unpack(KEYS)
local tag = redis.sha1hex(ARGV[1])
if #redis.call('ZRANGEBYLEX', leased, '[' .. tag, '(' .. tag .. ':', 'LIMIT', 0, 1) == 0 then
  redis.call('HDEL', owners, ARGV[1])
else
  redis.call('HSET', owners, ARGV[1], '0') -- whoever looks for what is due finds its leases by this
end
return 1
