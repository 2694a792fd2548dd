-- with indexes
-- Takes in an event, makes the execution due, and leases it if asked and free (Store.accept).
--
-- KEYS  1 due  2 leased  3 owners  4 counts  5 created  6 children  7 rare
--       8 head  9 journal  10 mail  11 seen  12 blobs
-- ARGV  1 id
--       2 now
--       3 owner that asks for the lease; empty: nobody
--       4 when that owner's leases end, as far as the caller knows; empty: it does not
--       5 token of this call; a repetition brings the same
--       6 version whose state the caller holds; empty: none
--       7 "1": a finished execution takes mail, unless it completed
--       8 "1": create what does not exist, from  9 function  10 kind  11 parent, empty: none
--      12 lane of the mail; empty: there is no mail
--      13 when the mail was accepted
--      14 its body
--      15 its fingerprint, or the call's own when it has no key
--      16 the score of that fingerprint in `seen`
--      17 scores below this one are forgotten
--      18 names of the functions that the owner can run, each between two line feeds; empty: all
--      19 … digest and bytes of the mail's blobs, in turn
--
-- Answers {answer}, {answer, head} or {answer, head, entries, mail, again}: the head's fields in the order of
-- records.Head without the id, entries false when the caller holds them, again 1 when this very call has brought its
-- mail before, else 0.

local due, leased, owners, counts, created, children, rare, head, journal, mail, seen, blobs = unpack(KEYS)
local id, now, owner, expires, token, known = unpack(ARGV, 1, 6)
local reopen, create = ARGV[7] == '1', ARGV[8] == '1'
local lane, at, body, mark, score, oldest = unpack(ARGV, 12, 17)
local served = ARGV[18]
local mailing, asking = lane ~= '', owner ~= ''

local STATUS, VERSION, LENGTH, BASE, ARRIVALS, OWNER, WAKE, PARENT, CREATED, UPDATED, DEATHS =
  3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16
local h = redis.call('HMGET', head, 'function', 'kind', 'status', 'version', 'length', 'base', 'arrivals', 'owner',
  'wake', 'parent', 'created', 'updated', 'awaits', 'note', 'state', 'deaths', 'grant')
local grant = table.remove(h)
local fresh = not h[STATUS]
local repeated = false

local function alive(name)
  local ends = redis.call('HGET', owners, name)
  return ends and tonumber(ends) > tonumber(now)
end

local function granted()
  local entries, waiting = false, {}
  if known ~= h[VERSION] then
    entries = fresh and {} or redis.call('LRANGE', journal, tonumber(h[BASE]) - 1, -1)
  end
  if h[ARRIVALS] ~= '0' then waiting = redis.call('ZRANGE', mail, 0, BATCH - 1) end
  return {'granted', h, entries, waiting, repeated and 1 or 0}
end

local function takes_more()
  if reopen and h[STATUS] ~= 'completed' then return true end
  if mailing then return false end
  return h[WAKE] or (h[OWNER] and not alive(h[OWNER]))
end

-- Puts the mail into the mailbox; returns it as it stands there.
local function deliver()
  local seq = tonumber(h[ARRIVALS]) + 1
  h[ARRIVALS] = tostring(seq)
  local member = seq .. ':' .. lane .. ':' .. at .. ':' .. body
  redis.call('ZADD', mail, tonumber(lane) * 1099511627776 + seq, member)
  redis.call('ZADD', seen, score, mark)
  if not fresh then -- a few at a time: forgets faster than mail comes in, and never many at once
    local old = redis.call('ZRANGEBYSCORE', seen, '-inf', '(' .. oldest, 'LIMIT', 0, 4)
    if #old > 0 then redis.call('ZREM', seen, unpack(old)) end
  end
  for i = 19, #ARGV, 2 do redis.call('HSET', blobs, ARGV[i], ARGV[i + 1]) end
  return member
end

-- The mail of the first attempt, if it still waits.
local function delivered()
  local lowest = tonumber(lane) * 1099511627776
  local tail = ':' .. lane .. ':' .. at .. ':' .. body
  for _, member in ipairs(redis.call('ZREVRANGEBYSCORE', mail, lowest + 1099511627775, lowest, 'LIMIT', 0, BATCH)) do
    if string.sub(member, -#tail) == tail then return {member} end
  end
  return {}
end

local function save(had, slept, was)
  local fields = {'status', h[STATUS], 'arrivals', h[ARRIVALS], 'updated', h[UPDATED]}
  local function also(name, value)
    if value then fields[#fields + 1] = name; fields[#fields + 1] = value end
  end
  also('wake', h[WAKE])
  if h[OWNER] ~= had then
    also('owner', h[OWNER])
    also('grant', token)
    also('deaths', h[DEATHS])
  end
  if fresh then
    also('function', h[1]); also('kind', h[2]); also('parent', h[PARENT]); also('created', now)
    also('version', '0'); also('length', '0'); also('base', '1')
    also('awaits', ''); also('note', ''); also('state', '')
    enlist(created, children, id, now, h[PARENT])
  end
  redis.call('HSET', head, unpack(fields))
  place(due, leased, id, had, slept, h[OWNER], h[WAKE])
  rank(counts, rare, id, h[CREATED], was, h[STATUS])
end

if fresh then
  if not create then return {'missing'} end
  local parent = ARGV[11] ~= '' and ARGV[11]
  h = {ARGV[9], ARGV[10], 'pending', '0', '0', '1', '0', false, false, parent, now, now, '', '', '', false}
else
  if create and (h[1] ~= ARGV[9] or h[2] ~= ARGV[10]) then return {'other', h} end
  -- The answer to this very call was lost after it had taken the lease.
  if asking and h[OWNER] == owner and grant == token then
    repeated = mailing
    return granted()
  end
  local known_since = mailing and redis.call('ZSCORE', seen, mark)
  repeated = known_since and tonumber(known_since) == tonumber(score)
  local within = known_since and tonumber(known_since) >= tonumber(oldest)
  if FINAL[h[STATUS]] and not takes_more() then
    if repeated then return {asking and 'busy' or 'queued', h, false, {}, 1} end
    return {within and 'duplicate' or 'finished', h}
  end
  if within and not repeated then return {'duplicate', h} end
end

if served ~= '' and not string.find(served, '\n' .. h[1] .. '\n', 1, true) then asking = false end
local had, slept, was = h[OWNER], h[WAKE], not fresh and h[STATUS]
local arrived = mailing and not repeated and deliver()

if had and (had == owner or alive(had)) then
  if arrived then
    h[UPDATED] = now
    redis.call('HSET', head, 'arrivals', h[ARRIVALS], 'updated', now)
  end
  return {'busy', h, false, arrived and {arrived} or repeated and delivered() or {}, repeated and 1 or 0}
end

h[UPDATED] = now
if not asking then
  if not slept or tonumber(now) < tonumber(slept) then h[WAKE] = now end
  save(had, slept, was)
  return {'queued', h, false, {}, repeated and 1 or 0}
end

local ends = redis.call('HGET', owners, owner)
if not ends then
  redis.call('HSET', owners, owner, expires == '' and '0' or expires)
elseif expires ~= '' and ends ~= '0' and tonumber(expires) > tonumber(ends) then
  redis.call('HSET', owners, owner, expires)
end
if had then -- it is dead: did it retire, or die?
  local ended = redis.call('HGET', owners, had)
  if ended and ended ~= '0' then h[DEATHS] = tostring(tonumber(h[DEATHS] or '0') + 1) end
end
h[OWNER] = owner
if h[STATUS] == 'pending' or h[STATUS] == 'waiting' or h[STATUS] == 'idle' then h[STATUS] = 'running' end
save(had, slept, was)
return granted()
