--- The kind of a channel, which the prefix of its name says. Pure.
-- For speed core/channel_auth.c has the same prefixes; no other file has them.

local kind = {}

local ENCRYPTED = "private-encrypted-"
local ENCRYPTED_BYTES = #ENCRYPTED
local sub = string.sub

--- The prefix of a presence channel: its subscribers are its members.
kind.PRESENCE = "presence-"

--- The prefixes of channels whose subscribers need an authorization.
kind.NEEDS_AUTHORIZATION = { ["private-"] = true, [kind.PRESENCE] = true }

--- All of a channel's name up to its first hyphen, as core.subscriber returns it; without a hyphen, the whole name.
-- @tparam string channel
-- @treturn string
function kind.prefix(channel)
  return channel:match("^[^-]*%-?")
end

--- Whether the events of a channel are encrypted end to end.
-- @tparam string channel
-- @treturn boolean
function kind.is_encrypted(channel)
  return #channel >= ENCRYPTED_BYTES and sub(channel, 1, ENCRYPTED_BYTES) == ENCRYPTED
end

return kind
