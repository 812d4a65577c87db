-- The requests of this library beside those of the official ones of Node, Python, Go and Java, as one server records
-- them, which checks signature and digest by a reader of its own.

local calls = require "spec.system.interop.calls"
local node = require "spec.system.interop.node"
local peers = require "spec.system.interop.peers"

local DATA = { text = 'h\195\169llo "quoted" <b>&amp;</b> \240\159\142\137', list = { 1, 2.5, true }, nested = { a = { b = "c/d" } } }

local CALLS = {
  { op = "trigger", channels = { "lobby" }, event = "greeting", data = DATA },
  { op = "trigger", channels = { "lobby" }, event = "raw", data = "just text, \195\169 & more" },
  { op = "trigger", channels = { "lobby", "presence-a=@,.;b", "private-1" }, event = "m\195\188ll", data = DATA,
    socket_id = "1234.5678" },
  { op = "trigger", channels = { "lobby", "presence-1" }, event = "counted", data = DATA,
    info = "user_count,subscription_count" },
  { op = "batch", events = {
    { channel = "lobby", name = "one", data = DATA },
    { channel = "private-1", name = "two", data = "text", socket_id = "12.34" },
  } },
  { op = "batch", events = { { channel = "lobby", name = "one", data = DATA, info = "subscription_count" } } },
  { op = "send_to_user", user = "ada", event = "note", data = DATA },
  { op = "send_to_user", user = "ada@example.com", event = "note", data = DATA },
  { op = "terminate", user = "ada" },
  { op = "terminate", user = "ada@example.com" },
  { op = "terminate", user = "a:b+c,d;e=f(!*$&)~-._" },
  { op = "channels", params = {} },
  { op = "channels", params = { filter_by_prefix = "presence-a=@,.;b", info = "user_count" } },
  { op = "channel", channel = "presence-a", params = { info = "user_count,subscription_count" } },
  { op = "channel", channel = "lobby", params = {} },
  { op = "users", channel = "presence-1" },
}

-- A call's name in a message.
local function title(index)
  return ("call %d, %s"):format(index, CALLS[index].op)
end

-- Requests by the call's number; each must pass the server's own checks.
local function by_call(recorded, results)
  local requests, next_one = {}, 1
  for index = 1, #CALLS do
    if not (results and results[index].skipped) then
      local one = recorded[next_one]
      assert.equal("", one.fault, title(index))
      requests[index], next_one = one.request, next_one + 1
    end
  end
  assert.equal(next_one - 1, #recorded)
  return requests
end

describe("Requests", function()
  local recorder, ours

  setup(function()
    recorder = node.start("recorder.js")
    local client = calls.client(recorder)
    for _, call in ipairs(CALLS) do
      peers.call(client, call)
    end
    client:close()
    ours = recorder:take()
  end)

  teardown(function()
    node.stop(recorder)
  end)

  it("have a signature, a digest and a type that another reader accepts", function()
    assert.equal(#CALLS, #by_call(ours))
  end)

  local expected_counts = { ["pusher (npm)"] = 16, ["pusher (PyPI)"] = 12, ["pusher-http-go"] = 13, ["pusher-http-java"] = 9 }
  for _, name in ipairs(peers.NAMES) do
    it("are those of " .. name, function()
      recorder:take()
      local results = peers.run(name, recorder, CALLS)
      local theirs, mine, count = by_call(recorder:take(), results), by_call(ours), 0
      for index in ipairs(CALLS) do
        if theirs[index] then
          assert.same(theirs[index], mine[index], title(index))
          count = count + 1
        end
      end
      assert.equal(expected_counts[name], count)
    end)
  end
end)
