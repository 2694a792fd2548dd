-- The right to read a partition for a subscription: taken when nobody has it, prolonged, or given back.
-- KEYS[1]  PREFIX:events:N:SUBSCRIPTION, the name of the process that has it
-- ARGV[1]  the process   ARGV[2]  for how long, in ms; 0 gives it back
-- 1: the process has it now; 0: it has not
local owner = redis.call('GET', KEYS[1])
if ARGV[2] == '0' then
  if owner == ARGV[1] then redis.call('DEL', KEYS[1]) end
  return 0
end
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
