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

  describe("decode", function()
    local codec = assert(require("pusher.base.json").new())

    local function part(name, value)
      return '--b\r\nContent-Disposition: form-data; name="' .. name .. '"\r\n\r\n' .. value .. "\r\n"
    end

    it("reads each content type", function()
      local multipart = part("a", "1") .. part("b", "2") .. part("a", "3") .. "--b--"
      for content_type, text in pairs { ["application/x-www-form-urlencoded"] = "a=1&b=2&a=3",
        [" APPLICATION/X-WWW-Form-Urlencoded; charset=utf-8"] = "a=1&b=2&a=3", ["multipart/form-data; boundary=b"] = multipart,
        ["application/json"] = '{"a":["1","3"],"b":"2"}', ["application/json;charset=utf-8"] = '{"a":["1","3"],"b":"2"}' } do
        assert.is_true(form.can_decode(content_type))
        assert.same({ a = { "1", "3" }, b = "2" }, form.decode(text, content_type, codec), content_type)
      end
      assert.same({ a = "1" }, form.decode("a=1", nil, codec))
    end)

    it("knows which bodies are read as url-encoded: all that do not say JSON or multipart", function()
      for _, content_type in ipairs { "", "text/plain", "text/csv; charset=utf-8", "application/x-www-form-urlencoded", "\255",
        "application/x-www-form-urlencoded; charset=UTF-8", "nonsense" } do
        assert.is_true(form.is_url_encoded(content_type), content_type)
      end
      assert.is_true(form.is_url_encoded(nil))
      for _, content_type in ipairs { "application/json", "Application/JSON;charset=utf-8", "multipart/form-data; boundary=b",
        "MULTIPART/mixed", "text/json", "application/vnd.api+json", "text/plain, multipart/form-data; boundary=b",
        "\tmultipart/form-data" } do
        assert.is_false(form.is_url_encoded(content_type), content_type)
      end
    end)

    it("refuses others", function()
      for _, content_type in ipairs { "", "text/plain", "application/jsonp", "application/json,text/plain", "json", "\255" } do
        assert.is_false(form.can_decode(content_type))
        assert.is_truthy(refused("content_type", form.decode("{}", content_type, codec)):find("is not application/x-www", 1, true))
      end
      assert.is_false(form.can_decode(nil))
    end)

    it("has the same limit for each", function()
      local function of(count)
        local members = {}
        for index = 1, count do
          members[index] = '"' .. index .. '":1'
        end
        return { ["application/x-www-form-urlencoded"] = ("a&"):rep(count), ["application/json"] = "{" .. table.concat(members, ",") .. "}",
          ["multipart/form-data; boundary=b"] = part("a", "1"):rep(count) .. "--b--" }
      end
      for content_type, text in pairs(of(1000)) do
        assert.is_table(form.decode(text, content_type, codec), content_type)
      end
      for content_type, text in pairs(of(1001)) do
        fails("the form must have at most 1000 fields", { code = "invalid", field = "form", limit = 1000 },
          form.decode(text, content_type, codec))
      end
    end)

    it("leaves wrong types to read, which refuses them", function()
      for text, field in pairs { ['{"socket_id":1.2,"channel_name":"private-a"}'] = "socket_id",
        ['{"socket_id":null,"channel_name":"private-a"}'] = "socket_id", ['{"socket_id":["1.2"],"channel_name":"private-a"}'] = "socket_id",
        ['{"socket_id":"1.2","channel_name":["private-a"]}'] = "channel_name", ['{"socket_id":"1.2","channel_name":{}}'] = "channel_name",
        ['{"socket_id":"1.2","channel_name[]":[{}]}'] = "channel", ['{"socket_id":"1.2","channel_name[]":[["private-a"]]}'] = "channel",
        ['{"auth":{"socket_id":"1.2","channel_name":"private-a"}}'] = "socket_id" } do
        refused(field, form.subscription(assert(form.decode(text, "application/json", codec))))
      end
      local twice = part("socket_id", "1.2") .. part("channel_name", "private-a") .. part("socket_id", "1.2") .. "--b--"
      refused("socket_id", form.subscription(assert(form.decode(twice, "multipart/form-data; boundary=b", codec))))
    end)
  end)

  describe("read", function()
    it("finds one channel, or a list of them in order, each field in any place", function()
      for _, given in ipairs { "socket_id=1.2&channel_name=private-a", "channel_name=private%2Da&x=y&socket_id=1.2",
        { socket_id = "1.2", channel_name = "private-a", [1] = "x", x = {} } } do
        assert.same({ socket_id = "1.2", channels = { "private-a" }, listed = false }, form.subscription(given))
      end
      for _, given in ipairs { "socket_id=1.2&channel_name[0]=presence-b&channel_name[1]=private-a",
        "channel_name[]=presence-b&socket_id=1.2&channel_name[]=private-a",
        { socket_id = "1.2", ["channel_name[]"] = { "presence-b", "private-a" } } } do
        assert.same({ socket_id = "1.2", channels = { "presence-b", "private-a" }, listed = true }, form.subscription(given))
      end
      assert.is_true(form.subscription("socket_id=1.2&channel_name[0]=private-a").listed)
    end)

    it("refuses what is missing, repeated or not valid, and names the field", function()
      for _, given in ipairs { "", "socket_id", "socket_id=x", "socket_id=1.2&socket_id=1.2&channel_name=private-a",
        "socket_id&socket_id=1.2&channel_name=private-a", "socket_id[]=1.2&channel_name=private-a",
        { socket_id = 1.2, channel_name = "private-a" }, { socket_id = { "1.2" }, channel_name = "private-a" } } do
        refused("socket_id", form.subscription(given))
      end
      for _, rest in ipairs { "x=y", "channel_name=private-a&channel_name=private-a", "channel_name=lobby",
        "channel_name&channel_name=private-a", "channel_name=private-a&channel_name[0]=private-b",
        "channel_name[0]=private-a&channel_name[0]=private-b", "channel_name[]=lobby", "channel_name[x]=private-a",
        ("channel_name[]=private-a&"):rep(101) } do
        refused("channel_name", form.subscription("socket_id=1.2&" .. rest))
      end
      for _, rest in ipairs { "channel_name=", "channel_name", "channel_name=private-a%0a", "channel_name[]=private-%20" } do
        refused("channel", form.subscription("socket_id=1.2&" .. rest))
      end
      refused("channel", form.subscription { socket_id = "1.2", ["channel_name[]"] = { "private-a", {} } })
    end)

    it("keeps the caller's table", function()
      local given = { socket_id = "1.2", ["channel_name[]"] = { "private-b", "private-a" } }
      form.subscription(given)
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
    fails('channel "lobby" needs no authorization', details("channel_name"), form.subscription("socket_id=1.2&channel_name=lobby"))
    fails("channel_name has an index that is given more than once", details("channel_name"),
      form.subscription("socket_id=1.2&channel_name[0]=private-a&channel_name[0]=private-b"))
    fails("channel_name must be one channel or a list of at most 100", details("channel_name", 100),
      form.subscription("socket_id=1.2&channel_name=private-a&channel_name[0]=private-b"))
  end)
end)
