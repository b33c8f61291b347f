-- KEYS: lease, nodes, marker. ARGV: node, entry, time to live in ms.
-- Returns whether the lease was there, and the marker.

local marker = current_marker(KEYS[3])
local existed = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
return {existed, marker}
