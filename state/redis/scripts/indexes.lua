-- Stands before every script whose first line says "with indexes": how an execution shows in the indexes of its
-- partition. What each key holds is said in keys.py.

local FINAL = {completed = true, failed = true, cancelled = true, terminated = true}
local RARE = {['in-doubt'] = true, failed = true, stuck = true, paused = true, cancelled = true, terminated = true}
local BATCH = 100 -- records.MAIL_BATCH

-- A time in 16 digits, so that the order of texts is that of times.
local function digits(time)
  return string.rep('0', 16 - #time) .. time
end

local function lease_of(id, owner, wake)
  return redis.sha1hex(owner) .. digits(wake or '0') .. id
end

-- An execution is in `leased` while it has an owner, dead or alive, else in `due` while it has a wake time.
local function place(due, leased, id, had, slept, owner, wake)
  if had == owner and slept == wake then return end
  if owner then
    redis.call('ZADD', leased, 0, lease_of(id, owner, wake))
  elseif wake then
    redis.call('ZADD', due, wake, id)
  end
  if had then
    redis.call('ZREM', leased, lease_of(id, had, slept))
  elseif slept and (owner or not wake) then
    redis.call('ZREM', due, id)
  end
end

-- Its status, in the counters and in the index of rare ones; false for "there was none" and "there is none".
local function rank(counts, rare, id, created, was, status)
  if was == status then return end
  if status then
    redis.call('HINCRBY', counts, status, 1)
    if RARE[status] then redis.call('ZADD', rare, 0, status .. ':' .. digits(created) .. id) end
  end
  if was then
    redis.call('HINCRBY', counts, was, -1)
    if RARE[was] then redis.call('ZREM', rare, was .. ':' .. digits(created) .. id) end
  end
end

local function enlist(created_index, children, id, created, parent)
  redis.call('ZADD', created_index, 0, digits(created) .. id)
  if parent then redis.call('ZADD', children, 0, redis.sha1hex(parent) .. digits(created) .. id) end
end
