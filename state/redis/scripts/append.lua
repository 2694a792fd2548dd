-- with indexes
-- Commits one transition, fenced by version and owner (Store.append).
--
-- KEYS  1 due  2 leased  3 counts  4 rare  5 head  6 journal  7 mail  8 blobs
-- ARGV  1 id  2 owner  3 version it follows on
--       4 token of this change; a repetition brings the same
--       5 at  6 status  7 wake time, empty: none
--       8 "1": give the lease back, unless there is mail that the owner has not been given
--       9 base  10 awaits  11 note  12 state
--      13 arrivals as the owner knows them
--      14 channel on which to tell of it; empty: nobody is told
--      15 number of entries  16 number of consumed mails
--      17 "1": the owner reads a long mailbox on by itself
--      18 … the entries, then the seq of each consumed mail, then digest and bytes of the blobs, in turn
--
-- Answers -1: another owner has moved it on. arrivals * 2, plus 1 when the lease is free. Or, when the owner is to
-- be given the mailbox, {arrivals, mail …}; the lease stands then.

local due, leased, counts, rare, head, journal, mail, blobs = unpack(KEYS)
local id, owner, version, token, at, status, wake, release, base, awaits, note, state, arrivals, channel =
  unpack(ARGV, 1, 14)
local written, consumed = tonumber(ARGV[15]), tonumber(ARGV[16])

local h = redis.call('HMGET', head, 'version', 'owner', 'token', 'arrivals', 'status', 'wake', 'length', 'deaths')
local had, arrived, was, slept = h[2], h[4], h[5], h[6]

local function mailbox()
  local answer = redis.call('ZRANGE', mail, 0, BATCH - 1)
  table.insert(answer, 1, tonumber(arrived))
  return answer
end

if h[1] ~= version or had ~= owner then
  -- Its own change once more, because the answer to the first was lost?
  local same = h[1] and tonumber(h[1]) == tonumber(version) + 1 and h[3] == token
  if not same or (had and had ~= owner) then return -1 end
  if not had then return tonumber(arrived) * 2 + 1 end
  return mailbox()
end

local crowded = consumed > 0 and ARGV[17] == '' and redis.call('ZCARD', mail) > BATCH
local unseen = arrived ~= arrivals or crowded
local freed = release == '1' and not unseen
wake = wake ~= '' and wake

-- The first write may be refused for lack of memory, none after it: nothing is ever done by halves.
local length = h[7]
for first = 18, 17 + written, 1000 do
  length = redis.call('RPUSH', journal, unpack(ARGV, first, math.min(first + 999, 17 + written)))
end
redis.call('HSET', head, 'version', tonumber(version) + 1, 'length', length, 'token', token, 'status', status,
  'base', base, 'updated', at, 'awaits', awaits, 'note', note, 'state', state)
if wake ~= slept then
  if wake then redis.call('HSET', head, 'wake', wake) else redis.call('HDEL', head, 'wake') end
end
if freed then redis.call('HDEL', head, 'owner', 'grant') end
if written > 0 and h[8] then redis.call('HDEL', head, 'deaths') end

local last = 17 + written + consumed
for i = 18 + written, last do
  local score = 1099511627776 + ARGV[i] -- most mail is ordinary
  if redis.call('ZREMRANGEBYSCORE', mail, score, score) == 0 then
    redis.call('ZREMRANGEBYSCORE', mail, ARGV[i], ARGV[i])
  end
end
for i = last + 1, #ARGV, 2 do redis.call('HSET', blobs, ARGV[i], ARGV[i + 1]) end

if was ~= status then rank(counts, rare, id, redis.call('HGET', head, 'created'), was, status) end
place(due, leased, id, had, slept, not freed and owner, wake)
if channel ~= '' then redis.pcall('PUBLISH', channel, version) end

if unseen then return mailbox() end
return tonumber(arrived) * 2 + (freed and 1 or 0)
