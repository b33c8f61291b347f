-- KEYS: room. ARGV: what the names of leases begin with.
-- Returns the owner, if its lease has not lapsed.

local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= '' and redis.call('EXISTS', ARGV[1] .. owner) == 1 then
  return owner
end
return false
