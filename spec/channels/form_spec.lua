local fails = require "spec.helpers.fails"
local form = require "pusher.channels.form"

local function refused(field, value, message, details)
  assert.is_nil(value)
  assert.equal("string", type(message))
  assert.equal("invalid", details.code)
  assert.equal(field, details.field)
  return message
end

describe("pusher.channels.form", function()
  describe("fields", function()
    it("splits and decodes", function()
      for text, expected in pairs {
        ["a=b&c=d"] = { a = "b", c = "d" }, ["a=b+c%20d"] = { a = "b c d" }, ["%61+=%3D%26%2b"] = { ["a "] = "=&+" },
        ["a=b=c"] = { a = "b=c" }, ["a&b="] = { a = "", b = "" }, ["=x"] = { [""] = "x" }, ["=a=b"] = { [""] = "a=b" },
        [""] = {}, ["&&"] = {}, ["&a=b&&c=d&"] = { a = "b", c = "d" }, ["a=%"] = { a = "%" }, ["a=%4"] = { a = "%4" },
        ["a=\0\255"] = { a = "\0\255" },
      } do
        assert.same(expected, (form.fields(text)), text)
      end
    end)

    it("makes a list of a repeated field", function()
      assert.same({ a = { "1", "2", "3" }, b = "4" }, (form.fields("a=1&a=2&b=4&%61=3")))
      assert.same({ a = { "", "1" } }, (form.fields("a&a=1")))
    end)

    it("has a limit", function()
      assert.equal("table", type(form.fields(("a&"):rep(1000))))
      local _, message, details = form.fields(("a&"):rep(1001))
      assert.equal("the form must have at most 1000 fields", message)
      assert.equal("invalid", details.code)
      assert.equal(1000, details.limit)
    end)
  end)

  describe("read", function()
    it("finds one channel, or a list of them in order, each field in any place", function()
      for _, given in ipairs { "socket_id=1.2&channel_name=private-a", "channel_name=private%2Da&x=y&socket_id=1.2",
        { socket_id = "1.2", channel_name = "private-a", [1] = "x", x = {} } } do
        assert.same({ socket_id = "1.2", channels = { "private-a" }, listed = false }, form.read(given))
      end
      for _, given in ipairs { "socket_id=1.2&channel_name[0]=presence-b&channel_name[1]=private-a",
        "channel_name[]=presence-b&socket_id=1.2&channel_name[]=private-a",
        { socket_id = "1.2", ["channel_name[]"] = { "presence-b", "private-a" } } } do
        assert.same({ socket_id = "1.2", channels = { "presence-b", "private-a" }, listed = true }, form.read(given))
      end
      assert.is_true(form.read("socket_id=1.2&channel_name[0]=private-a").listed)
    end)

    it("refuses what is missing, repeated or not valid, and names the field", function()
      for _, given in ipairs { "", "socket_id", "socket_id=x", "socket_id=1.2&socket_id=1.2&channel_name=private-a",
        "socket_id&socket_id=1.2&channel_name=private-a", "socket_id[]=1.2&channel_name=private-a",
        { socket_id = 1.2, channel_name = "private-a" }, { socket_id = { "1.2" }, channel_name = "private-a" } } do
        refused("socket_id", form.read(given))
      end
      for _, rest in ipairs { "x=y", "channel_name=private-a&channel_name=private-a", "channel_name=lobby",
        "channel_name&channel_name=private-a", "channel_name=private-a&channel_name[0]=private-b",
        "channel_name[0]=private-a&channel_name[0]=private-b", "channel_name[]=lobby", "channel_name[x]=private-a",
        ("channel_name[]=private-a&"):rep(101) } do
        refused("channel_name", form.read("socket_id=1.2&" .. rest))
      end
      for _, rest in ipairs { "channel_name=", "channel_name", "channel_name=private-a%0a", "channel_name[]=private-%20" } do
        refused("channel", form.read("socket_id=1.2&" .. rest))
      end
      refused("channel", form.read { socket_id = "1.2", ["channel_name[]"] = { "private-a", {} } })
    end)

    it("keeps the caller's table", function()
      local given = { socket_id = "1.2", ["channel_name[]"] = { "private-b", "private-a" } }
      form.read(given)
      assert.same({ socket_id = "1.2", ["channel_name[]"] = { "private-b", "private-a" } }, given)
    end)
  end)

  it("reads whose connection signs in", function()
    assert.equal("1.2", form.socket_id("x=y&socket_id=1%2E2&channel_name=lobby"))
    assert.equal("1.2", form.socket_id { socket_id = "1.2" })
    for _, given in ipairs { "", "socket_id=1", "socket_id=1.2&socket_id=1.2", {}, { socket_id = { "1.2" } } } do
      refused("socket_id", form.socket_id(given))
    end
  end)

  it("says what is wrong", function()
    local function details(field, limit)
      return { code = "invalid", field = field, limit = limit }
    end
    fails("the form must have at most 1000 fields", details("form", 1000), form.fields(("a&"):rep(1001)))
    assert.is_table(form.fields(("a&"):rep(1000)))
    fails("socket_id is missing", details("socket_id"), form.socket_id(""))
    fails("socket_id must be one string, given once", details("socket_id"), form.socket_id("socket_id=1.2&socket_id=1.2"))
    fails('channel "lobby" needs no authorization', details("channel_name"), form.read("socket_id=1.2&channel_name=lobby"))
    fails("channel_name has an index that is given more than once", details("channel_name"),
      form.read("socket_id=1.2&channel_name[0]=private-a&channel_name[0]=private-b"))
    fails("channel_name must be one channel or a list of at most 100", details("channel_name", 100),
      form.read("socket_id=1.2&channel_name=private-a&channel_name[0]=private-b"))
  end)
end)
