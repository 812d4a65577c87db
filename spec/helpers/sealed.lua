--- The ciphertext of an event as core.seal_event makes it, and the key of its channel: what core.open takes.

local core = require "pusher.core"

return function(plaintext, channel, master_key, nonce)
  local quoted = core.seal_event(plaintext, channel, master_key, nonce, "", "")
  return core.base64_decode(quoted:match('ciphertext\\":\\"([^\\]*)')), core.channel_key(channel, master_key)
end
