-- KEYS: room, its checkpoint, marker.
-- ARGV: node, what the names of leases begin with, the marker that this node knows ('' for none), how long owners may register in ms,
-- how much of that is left for this node's own reasons.
-- Returns {'elsewhere', owner}, {'wait', ms} or {'owned', epoch, opened, checkpoint}.

local node, grace, hold = ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5])
local entry = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
local owner, known = entry[1], tonumber(entry[2])
if owner and owner ~= '' and owner ~= node and redis.call('EXISTS', ARGV[2] .. owner) == 1 then
  return {'elsewhere', owner}
end

-- A Redis that may have forgotten can't tell who owns the room, whatever its entry says: also one that names this node, or nobody, may be older
-- than the last claim.
local marker, since = current_marker(KEYS[3])
local wait = math.max(grace - (now_ms - since), hold)
if ARGV[3] ~= '' and ARGV[3] ~= marker then
  wait = grace
end
if wait > 0 then
  return {'wait', wait}
end

-- The time makes the epoch larger than any that a Redis that forgot may have issued.
local epoch = string.format('%.0f', math.max((known or 0) + 1, now_ms))
redis.call('HSET', KEYS[1], 'owner', node, 'epoch', epoch)
redis.call('HDEL', KEYS[1], 'save')
local opened = redis.call('HINCRBY', KEYS[1], 'opened', 1)
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('EXPIRE', KEYS[2], 90000)
return {'owned', epoch, opened, redis.call('GET', KEYS[2])}
