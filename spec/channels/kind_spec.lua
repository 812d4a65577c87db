local core = require "pusher.core"
local kind = require "pusher.channels.kind"
local vectors = require "spec.helpers.vectors"

describe("pusher.channels.kind", function()
  it("knows encrypted channels as the known answers say", function()
    for _, vector in ipairs(vectors.of("is_encrypted_channel")) do
      assert.equal(vector.expected.result, kind.is_encrypted(vector.inputs.value), vector.inputs.value)
    end
  end)

  it("knows presence channels", function()
    for name, expected in pairs { ["presence-a"] = true, ["presence-"] = true, ["presence-cache-a"] = true,
      presence = false, ["private-presence-a"] = false, ["Presence-a"] = false, [""] = false } do
      assert.equal(expected, kind.prefix(name) == kind.PRESENCE, name)
    end
  end)

  it("knows which subscribers need an authorization, as C does", function()
    for name, expected in pairs { ["private-a"] = true, ["presence-a"] = true, ["private-encrypted-a"] = true,
      ["private-"] = true, ["private-cache-a"] = true, ["cache-a"] = false, lobby = false, private = false,
      ["Private-a"] = false, ["xprivate-a"] = false, ["secret-a"] = false } do
      local _, _, prefix = core.subscriber("socket_id=1.2&channel_name=" .. name)
      assert.equal(prefix, kind.prefix(name))
      assert.equal(expected, kind.NEEDS_AUTHORIZATION[prefix] or false, name)
    end
  end)
end)
