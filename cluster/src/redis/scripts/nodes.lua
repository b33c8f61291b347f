-- KEYS: nodes. ARGV: what the names of leases begin with.
-- Returns the entries of the nodes whose lease has not lapsed, and forgets the others.

local entries = {}
for _, node in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local entry = redis.call('GET', ARGV[1] .. node)
  if entry then
    entries[#entries + 1] = entry
  else
    redis.call('SREM', KEYS[1], node)
  end
end
return entries
