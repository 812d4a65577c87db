-- Authorizations of random subscriptions, by this library and by the official ones. What is signed with the app's
-- secret is checked by a reader of its own; texts that are signed may be spaced and ordered in any way.

local calls = require "spec.system.interop.calls"
local cjson = require "cjson"
local node = require "spec.system.interop.node"
local peers = require "spec.system.interop.peers"

local COUNT = 200

-- Whole characters: those of channel names, then some that JSON writers escape, then some that no id may have.
local CHANNEL = { "A", "X", "Z", "a", "m", "z", "0", "9", "_", "-", "=", "@", ",", ".", ";" }
local TEXT = { "a", "Z", " ", '"', "\\", "/", "<", ">", "&", "'", "\195\169", "\226\128\168", "\226\130\172",
  "\240\159\142\137", "{", ":", "|", "@", "+" }
local CONTROL = { "\n", "\t", "\127", "\1" }

local function pick(list)
  return list[math.random(#list)]
end

local function characters(list, max)
  local parts = {}
  for index = 1, math.random(1, max) do
    parts[index] = pick(list)
  end
  return table.concat(parts)
end

local function id()
  return characters(pick { CHANNEL, TEXT }, 20)
end

local function text()
  return characters(TEXT, 10) .. pick(CONTROL) .. characters(TEXT, 10)
end

-- Go takes text only.
local function info()
  local fields = { name = text(), empty = "" }
  for _ = 1, math.random(0, 3) do
    fields[text()] = text()
  end
  return fields
end

local MAKERS = {
  function(call)
    call.channel = "private-x" .. characters(CHANNEL, 40)
  end,
  function(call)
    call.channel = "private-encrypted-" .. characters(CHANNEL, 40)
  end,
  function(call)
    call.channel, call.member = "presence-" .. characters(CHANNEL, 40), { user_id = id(), user_info = info() }
  end,
  function(call)
    call.op, call.user = "authenticate", { id = id(), user_info = info(), watchlist = { id() } }
  end,
}

local function make_calls()
  local list = {}
  for index = 1, COUNT do
    local call = { op = "authorize", socket_id = ("%d.%d"):format(math.random(1e9), math.random(1e9)) }
    pick(MAKERS)(call)
    list[index] = call
  end
  return list
end

-- Without what may be written in several ways, which is judged apart.
local function fixed_part(authorization)
  local decoded = cjson.decode(authorization)
  decoded.shared_secret = decoded.shared_secret and decoded.shared_secret:gsub("=+$", "") -- Java leaves the padding out
  if decoded.channel_data or decoded.user_data then
    return { keys = (decoded.channel_data and "channel_data" or "user_data") }
  end
  return decoded
end

describe("Authorizations", function()
  local recorder, list, ours, seed

  setup(function()
    seed = os.time()
    math.randomseed(seed)
    recorder = node.start("recorder.js")
    list, ours = make_calls(), {}
    local client = calls.client(recorder)
    for index, call in ipairs(list) do
      ours[index] = peers.call(client, call)
    end
    client:close()
  end)

  teardown(function()
    node.stop(recorder)
  end)

  local function assert_valid(subjects, texts)
    for index, fault in ipairs(recorder:judge { calls = subjects, texts = texts }) do
      assert.equal("", fault, ("seed %d, call %s: %s"):format(seed, cjson.encode(subjects[index]), texts[index]))
    end
  end

  it("have a signature and data that another reader accepts", function()
    assert_valid(list, ours)
  end)

  for _, name in ipairs(peers.NAMES) do
    it("agree with those of " .. name, function()
      local subjects, texts = {}, {}
      for index, result in ipairs(peers.run(name, recorder, list)) do
        if not result.skipped then
          assert.same(fixed_part(result.text), fixed_part(ours[index]), ("seed %d, call %d"):format(seed, index))
          subjects[#subjects + 1], texts[#texts + 1] = list[index], result.text
        end
      end
      assert.is_true(#texts > COUNT / 2)
      assert_valid(subjects, texts)
    end)
  end
end)
