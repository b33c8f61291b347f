-- KEYS: marker, head, stream. ARGV: channel, id in hexadecimal, payload, about how many messages the stream keeps.

local marker = current_marker(KEYS[1])
bus_head(marker, KEYS[2], KEYS[3])
local seq = string.format('%.0f', redis.call('HINCRBY', KEYS[2], 'seq', 1))
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], seq .. '-0', 'id', ARGV[2], 'payload', ARGV[3])
redis.call('PUBLISH', ARGV[1], marker .. ' ' .. seq .. ' ' .. ARGV[2] .. ' ' .. ARGV[3])
return seq
