-- examples/push.lua, as a user would run it, against the local servers.

local cjson = require "cjson"
local local_server = require "tools.local_server"
local push_server = require "tools.local_server.push"

local function run(argument)
  local pipe = assert(io.popen(("%s examples/push.lua %s 2>&1"):format(os.getenv("PUSHER_LUA"), argument or "")))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

describe("examples/push.lua", function()
  it("prints a receipt when it is given nothing", function()
    local text = run()
    assert.matches('{"to":{"6QMAAAAAAAA":{"delivered":0,"unread":3},"6gMAAAAAAAA":', text, 1, true)
    assert.matches("accepted by 1 handlers", text, 1, true)
  end)

  it("sends over FCM and as Channels events when its configuration says so", function()
    local pushes, channels = push_server.start(), local_server.start()
    pushes:plan { token = "token-of-bobs-browser", responses = { "UNREGISTERED" } }
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(cjson.encode {
      { name = "stdout", config = { enabled = true } },
      { name = "channels", config = { url = channels:url() } },
      { name = "fcm", config = push_server.config(pushes) },
    })
    file:close()
    local text = run(path)
    os.remove(path)
    local events, messages = channels:events(), pushes:messages()
    pushes:stop()
    channels:stop()
    assert.matches("accepted by 3 handlers", text, 1, true)
    assert.matches("fcm: token-of-anns-phone sent", text, 1, true)
    assert.matches("fcm: token-of-bobs-browser unregistered FCM responded with status 404", text, 1, true)
    assert.matches("channels: usr6gMAAAAAAAA sent", text, 1, true)
    assert.are.equal(2, #messages)
    assert.are.equal("dinner is *ready*", messages[1].data.content)
    assert.are.equal(2, #events)
    local users = {}
    for _, event in ipairs(events) do
      assert.are.equal("msg", event.name)
      users[event.channel] = true
    end
    assert.are.same({ ["#server-to-user-usr6QMAAAAAAAA"] = true, ["#server-to-user-usr6gMAAAAAAAA"] = true }, users)
  end)
end)
