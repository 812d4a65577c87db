local cjson = require "cjson"
local core = require "pusher.core"

local KEY = "k"
local BODY = '{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"c"}]}'

local function reader(mac)
  return core.webhook_reader(mac or core.mac("s"), KEY, cjson.decode)
end

local function signed(body)
  return { ["X-Pusher-Key"] = KEY, ["X-Pusher-Signature"] = core.mac("s"):hex(body) }
end

-- How many values there are, and the first.
local function results(...)
  return select("#", ...), (...)
end

local function gives_nothing(headers, body)
  assert.equal(0, (results(reader()(headers, body))))
end

describe("pusher.core's reader of webhooks", function()
  it("reads the common shape", function()
    local headers = signed(BODY)
    local hook = reader()(headers, BODY)
    assert.same({ id = headers["X-Pusher-Signature"], time_ms = 1700000000000,
      events = { { name = "channel_occupied", channel = "c" } } }, hook)
    assert.equal("1700000000000", ("%d"):format(hook.time_ms))
    assert.equal(math.type and "integer", math.type and math.type(hook.time_ms))
  end)

  it("keeps the smallest and the largest time, and one with a fraction", function()
    for _, time in ipairs { "100000000000", "1700000000000.5", "999999999999999" } do
      local body = ('{"time_ms":%s,"events":[1]}'):format(time)
      assert.equal(tonumber(time), reader()(signed(body), body).time_ms)
    end
  end)

  it("knows a forged signature, which may not be one in capitals", function()
    for _, signature in ipairs { ("0"):rep(64), "0", core.mac("other"):hex(BODY), core.mac("s"):hex(BODY) .. "0" } do
      assert.is_false(reader()({ ["X-Pusher-Key"] = KEY, ["X-Pusher-Signature"] = signature }, BODY), signature)
    end
    gives_nothing({ ["X-Pusher-Key"] = KEY, ["X-Pusher-Signature"] = core.mac("s"):hex(BODY):upper() }, BODY)
  end)

  it("leaves other headers and bodies to Lua", function()
    local signature = signed(BODY)["X-Pusher-Signature"]
    for _, headers in ipairs { {}, { ["X-Pusher-Key"] = KEY }, { ["X-Pusher-Signature"] = signature },
      { ["X-Pusher-Key"] = "x", ["X-Pusher-Signature"] = signature },
      { ["x-pusher-key"] = KEY, ["x-pusher-signature"] = signature },
      { ["X-Pusher-Key"] = KEY, ["X-Pusher-Signature"] = { signature } },
      { ["X-Pusher-Key"] = KEY, ["X-Pusher-Signature"] = 5 }, { ["X-Pusher-Key"] = KEY, ["X-Pusher-Signature"] = "" },
      setmetatable({}, { __index = signed(BODY) }), setmetatable(signed(BODY), {}), function() end, 5, "x" } do
      gives_nothing(headers, BODY)
    end
    gives_nothing(nil, BODY)
    gives_nothing(signed "5", 5)
    gives_nothing(signed(BODY), nil)
  end)

  it("leaves texts of another shape to Lua", function()
    for _, body in ipairs { "", "x", "[]", "5", "{}", '"x"', "null", '{"time_ms":1700000000000}', '{"events":[1]}',
      '{"time_ms":"1700000000000","events":[1]}', '{"time_ms":1700000000,"events":[1]}', '{"time_ms":99999999999,"events":[1]}',
      '{"time_ms":1e16,"events":[1]}', '{"time_ms":9007199254740991,"events":[1]}',
      '{"time_ms":-1700000000000,"events":[1]}', '{"time_ms":1700000000000,"events":[]}',
      '{"time_ms":1700000000000,"events":{}}', '{"time_ms":1700000000000,"events":{"a":1}}',
      '{"time_ms":1700000000000,"events":null}', '{"time_ms":1700000000000,"events":"x"}',
      '{"time_ms":1700000000000,"events":[1234567890123456]}', '{"time_ms":1700000000000,"events":["\255"]}',
      BODY .. "\0", BODY:sub(1, -2) } do
      gives_nothing(signed(body), body)
    end
  end)

  it("returns nothing once the mac is closed", function()
    local mac = core.mac("s")
    local read = reader(mac)
    mac:close()
    assert.equal(0, (results(read(signed(BODY), BODY))))
  end)

  it("is made of a mac, a key and a function", function()
    assert.error(function() core.webhook_reader("s", KEY, cjson.decode) end)
    assert.error(function() core.webhook_reader(core.mac("s"), nil, cjson.decode) end)
    assert.error(function() core.webhook_reader(core.mac("s"), KEY) end)
  end)
end)
