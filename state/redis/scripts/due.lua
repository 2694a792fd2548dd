-- Executions of one partition that must be looked at, oldest wake time first (Store.due). Changes nothing.
--
-- KEYS  1 due  2 leased  3 owners
-- ARGV  1 now  2 how many at the most
--
-- Answers wake time, id, wake time, id … : first those that are free, then those of each dead owner.

local due, leased, owners = unpack(KEYS)
local now, limit = tonumber(ARGV[1]), ARGV[2]

local found = {}
local free = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
for i = 1, #free, 2 do
  found[i], found[i + 1] = free[i + 1], free[i]
end
local all = redis.call('HGETALL', owners)
for i = 1, #all, 2 do
  if tonumber(all[i + 1]) <= now then
    local tag = redis.sha1hex(all[i])
    for _, lease in ipairs(redis.call('ZRANGEBYLEX', leased, '[' .. tag, '(' .. tag .. ':', 'LIMIT', 0, limit)) do
      found[#found + 1] = string.sub(lease, 41, 56)
      found[#found + 1] = string.sub(lease, 57)
    end
  end
end
return found
