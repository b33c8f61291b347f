-- KEYS: marker, head, stream. ARGV: the first number that is wanted, how many messages at most (0: none).
-- Returns {epoch, base, newest number, messages}.

local marker = current_marker(KEYS[1])
local base, newest = bus_head(marker, KEYS[2], KEYS[3])
local messages = {}
if tonumber(ARGV[2]) > 0 then
  messages = redis.call('XRANGE', KEYS[3], ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
end
return {marker, base, newest, messages}
