local cjson = require "cjson"
local fake_transport = require "spec.helpers.fake_transport"
local pusher = require "pusher"
local subscriber = require "pusher.openresty.subscriber"

local MASTER_KEY = "zyrm8pvV2C9fJcBfhyXzvxbJVN/H7QLmbe0xJi1GhPU="
local COMMON = "socket_id=1234.5678&channel_name=private-room"

describe("pusher.openresty.subscriber", function()
  local client, asked

  before_each(function()
    client = assert(pusher.new { app_id = "1", key = "k", secret = "s", transport = fake_transport.new(),
      encryption_master_key_base64 = MASTER_KEY })
    asked = {}
  end)

  local function returning(...)
    local results = { n = select("#", ...), ... }
    return function(...)
      asked[#asked + 1] = { ... }
      return (table.unpack or unpack)(results, 1, results.n)
    end
  end

  local function authorize(form, ...)
    return subscriber.authorize_channel(client, returning(...), form)
  end

  describe("authorize_channel", function()
    it("asks with the socket, the channel and the form, and signs", function()
      local status, text, message = authorize(COMMON, true)
      assert.equal(200, status)
      assert.equal(client:authorize_channel(COMMON), text)
      assert.is_nil(message)
      assert.same({ { "1234.5678", "private-room", COMMON } }, asked)
    end)

    it("reads every order, escape and further field", function()
      for _, form in ipairs { "channel_name=private-room&socket_id=1234.5678", "socket_id=1234%2E5678&channel_name=private%2Droom",
        "a=b&socket_id=1234.5678&token=x%20y&channel_name=private-room", "&socket_id=1234.5678&&channel_name=private-room&" } do
        local status, text = authorize(form, true)
        assert.equal(200, status, form)
        assert.equal(client:authorize_channel(COMMON), text)
        assert.equal(form, asked[#asked][3])
      end
    end)

    it("reads JSON and multipart, and passes the body on", function()
      local json = '{"channel_name":"private-room","token":{"x":1},"socket_id":"1234.5678"}'
      local multipart = '--b\r\nContent-Disposition: form-data; name="socket_id"\r\n\r\n1234.5678\r\n'
        .. '--b\r\nContent-Disposition: form-data; name="channel_name"\r\n\r\nprivate-room\r\n--b--\r\n'
      for content_type, body in pairs { ["application/json"] = json, ["multipart/form-data; boundary=b"] = multipart,
        ["application/x-www-form-urlencoded"] = COMMON .. "&x=y" } do
        local status, text = subscriber.authorize_channel(client, returning(true), body, content_type)
        assert.same({ 200, (client:authorize_channel(COMMON)) }, { status, text })
        assert.same({ "1234.5678", "private-room", body }, asked[#asked])
        status, text = subscriber.authenticate_user(client, returning { id = "7" }, body, content_type)
        assert.same({ 200, (client:authenticate_user("socket_id=1234.5678", { id = "7" })) }, { status, text })
        assert.same({ "1234.5678", body }, asked[#asked])
      end
    end)

    it("reads several channels from JSON", function()
      local status, text = subscriber.authorize_channel(client, returning(true),
        '{"socket_id":"1.2","channel_name[]":["private-a","private-b"]}', "application/json")
      assert.equal(200, status)
      assert.equal(200, cjson.decode(text)["private-b"].status)
    end)

    it("refuses a body of another type before it asks", function()
      for content_type, body in pairs { ["application/json"] = COMMON, ["multipart/form-data; boundary=b"] = "{}",
        ["text/plain"] = '{"socket_id":"1.2","channel_name":"private-room"}' } do
        assert.equal(400, (subscriber.authorize_channel(client, returning(true), body:gsub("^socket", "x%0"), content_type)))
        assert.equal(400, (subscriber.authenticate_user(client, returning { id = "7" }, body, content_type)))
      end
      assert.same({}, asked)
    end)

    it("reads no JSON or multipart body as a url-encoded form", function()
      local both = COMMON .. '&x=\r\n--b\r\nContent-Disposition: form-data; name="channel_name"\r\n\r\nprivate-b\r\n--b--\r\n'
      for _, body in ipairs { COMMON, "&" .. COMMON, both } do
        for _, content_type in ipairs { "application/json", "multipart/form-data; boundary=b", "multipart/mixed; boundary=b",
          "text/json", "text/plain, application/json" } do
          assert.equal(400, (subscriber.authorize_channel(client, returning(true), body, content_type)), content_type)
          assert.equal(400, (subscriber.authenticate_user(client, returning { id = "7" }, body, content_type)), content_type)
        end
      end
      assert.same({}, asked)
    end)

    it("reads a url-encoded form under any other content type", function()
      for _, body in ipairs { COMMON, "&" .. COMMON } do
        for _, content_type in ipairs { "text/plain;charset=UTF-8", "text/csv", "nonsense", "",
          "application/x-www-form-urlencoded; charset=UTF-8" } do
          assert.equal(200, (subscriber.authorize_channel(client, returning(true), body, content_type)), content_type)
          assert.equal(200, (subscriber.authenticate_user(client, returning { id = "7" }, body, content_type)), content_type)
        end
      end
    end)

    it("gives presence channels their member, others none", function()
      local form = "socket_id=1.2&channel_name=presence-room"
      for _, member in ipairs { { user_id = "7", user_info = { name = "A" } }, '{"user_id":"7"}' } do
        local status, text = authorize(form, member)
        assert.equal(200, status)
        assert.equal("7", cjson.decode(cjson.decode(text).channel_data).user_id)
      end
      local status, text = authorize(COMMON, { user_id = "7" })
      assert.equal(200, status)
      assert.equal(client:authorize_channel(COMMON), text)
    end)

    it("gives encrypted channels their secret", function()
      local status, text = authorize("socket_id=1.2&channel_name=private-encrypted-room", true)
      assert.equal(200, status)
      assert.equal("string", type(cjson.decode(text).shared_secret))
    end)

    it("refuses when the application does, and logs the message, which the subscriber is not shown", function()
      for _, results in ipairs { { nil, "banned" }, { false, "banned" } } do
        local status, text, message = authorize(COMMON, results[1], results[2])
        assert.equal(403, status)
        assert.equal('{"error":"forbidden"}', text)
        assert.equal("refused: banned", message)
      end
      assert.equal(403, (authorize(COMMON)))
    end)

    it("fails closed when the application fails", function()
      local status, text, message = subscriber.authorize_channel(client, function()
        error("no database")
      end, COMMON)
      assert.equal(500, status)
      assert.equal('{"error":"internal error"}', text)
      assert.is_truthy(message:find("no database", 1, true))
      local unprintable = setmetatable({}, { __tostring = function() error("no text") end })
      status, text, message = subscriber.authorize_channel(client, function() error(unprintable) end, COMMON)
      assert.same({ 500, '{"error":"internal error"}', "string" }, { status, text, type(message) })
      status, text, message = authorize(COMMON, nil, unprintable)
      assert.same({ 403, '{"error":"forbidden"}', "string" }, { status, text, type(message) })
      for _, decision in ipairs { 1, print } do
        assert.equal(500, (authorize(COMMON, decision)))
      end
    end)

    it("logs that a member is wrong or missing; the subscriber is not shown it", function()
      for _, member in ipairs { {}, { user_id = "" }, { user_id = {} }, "no JSON", "{}", true } do
        local status, text, message = authorize("socket_id=1.2&channel_name=presence-room", member)
        assert.equal(500, status)
        assert.equal('{"error":"internal error"}', text)
        assert.equal("string", type(message))
      end
    end)

    it("needs a master key for encrypted channels", function()
      client = assert(pusher.new { app_id = "1", key = "k", secret = "s", transport = fake_transport.new() })
      local status, _, message = authorize("socket_id=1.2&channel_name=private-encrypted-room", true)
      assert.equal(500, status)
      assert.is_truthy(message:find("encryption_master_key_base64", 1, true), message)
    end)

    it("refuses bad forms before it asks, and repeats nothing of them", function()
      local long = ("x"):rep(201)
      for _, form in ipairs {
        "", "&", "=", "socket_id", "garbage", "\0", "%", "socket_id=1.2", "channel_name=private-a", "socket_id=1.2&channel_name=",
        "socket_id=1.2&channel_name=private-a&channel_name=private-b", "socket_id=1.2&socket_id=1.3&channel_name=private-a",
        "socket_id=1.2&channel_name=private-a&channel_name[0]=private-b",
        "socket_id=1.2&channel_name[0]=private-a&channel_name[0]=private-b",
        "socket_id=1.2%0A&channel_name=private-a", "socket_id=1.2:x&channel_name=private-a", "socket_id=x&channel_name=private-a",
        "socket_id[]=1.2&channel_name=private-a", "socket_id=1.2&channel_name=private-" .. long,
        "socket_id=1.2&channel_name=private-a%20b", "socket_id=1.2&channel_name=private-%C3%A4",
        "socket_id=1.2&channel_name=private-\255", "socket_id=1.2&channel_name=private-a%00", "socket_id=1.2&channel_name=private-<script>",
        "socket_id=1.2&channel_name=lobby", "socket_id=1.2&channel_name=cache-lobby", "socket_id=1.2&channel_name=Private-a",
        "socket_id=1.2&channel_name=secret-a", "socket_id=1.2&channel_name=#server-to-user-1", "socket_id=1.2&channel_name[]=lobby",
        "socket_id=1.2&channel_name[0]=private-a&channel_name[1]=lobby", "socket_id=1.2&" .. ("channel_name[]=private-a&"):rep(101),
      } do
        local status, text, message = authorize(form, true)
        assert.equal(400, status, form)
        assert.is_truthy(text:find('^{"error":"[%a_]+ [%w%s_,]+"}$'), text)
        assert.equal("string", type(message))
      end
      assert.same({}, asked)
    end)

    describe("several channels", function()
      local function each(form, decide)
        local status, text, message = subscriber.authorize_channel(client, decide, form)
        return status, text and cjson.decode(text), message
      end

      it("responds to each by its name", function()
        for _, form in ipairs { "&socket_id=1.2&channel_name[0]=private-a&channel_name[1]=presence-b&channel_name[2]=private-c",
          "socket_id=1.2&channel_name%5B0%5D=private-a&channel_name%5B1%5D=presence-b&channel_name%5B2%5D=private-c",
          "channel_name[]=private-a&channel_name[]=presence-b&channel_name[]=private-c&socket_id=1.2" } do
          local status, responses, message = each(form, function(socket_id, channel)
            assert.equal("1.2", socket_id)
            if channel == "private-c" then
              return nil, "not you"
            end
            return channel == "private-a" or { user_id = "7" }
          end)
          assert.equal(200, status)
          assert.same({ status = 200, data = cjson.decode((client:authorize_channel("socket_id=1.2&channel_name=private-a"))) },
            responses["private-a"])
          assert.equal(200, responses["presence-b"].status)
          assert.equal("7", cjson.decode(responses["presence-b"].data.channel_data).user_id)
          assert.same({ status = 403 }, responses["private-c"])
          assert.equal("private-c: refused: not you", message)
        end
      end)

      it("asks once for a name given twice", function()
        local count = 0
        local status, responses = each("socket_id=1.2&channel_name[0]=private-a&channel_name[1]=private-a", function()
          count = count + 1
          return true
        end)
        assert.equal(200, status)
        assert.equal(1, count)
        assert.equal(200, responses["private-a"].status)
      end)

      it("returns a list of one as a list", function()
        local _, responses = each("socket_id=1.2&channel_name[0]=private-a", function() return true end)
        assert.equal(200, responses["private-a"].status)
      end)

      it("takes a hundred", function()
        local parts = { "socket_id=1.2" }
        for index = 1, 100 do
          parts[index + 1] = ("channel_name[%d]=private-%d"):format(index, index)
        end
        local status, responses = each(table.concat(parts, "&"), function() return true end)
        assert.equal(200, status)
        assert.equal(200, responses["private-100"].status)
      end)

      it("fails as a whole when the application fails for one", function()
        local status, responses = each("socket_id=1.2&channel_name[0]=private-a&channel_name[1]=private-b", function(_, channel)
          return channel == "private-a" or error("no database")
        end)
        assert.equal(500, status)
        assert.same({ error = "internal error" }, responses)
      end)
    end)
  end)

  describe("authenticate_user", function()
    local function authenticate(form, ...)
      return subscriber.authenticate_user(client, returning(...), form)
    end

    it("asks with the socket and the form, and signs the user", function()
      local status, text = authenticate("socket_id=1.2", { id = "7", user_info = { name = "A" } })
      assert.equal(200, status)
      assert.equal("7", cjson.decode(cjson.decode(text).user_data).id)
      assert.same({ { "1.2", "socket_id=1.2" } }, asked)
      assert.equal(200, (authenticate("token=x&socket_id=1.2", '{"id":"7"}')))
    end)

    it("refuses, fails closed, and gives a message for the log", function()
      local status, _, message = authenticate("socket_id=1.2", nil, "who?")
      assert.same({ 403, "refused: who?" }, { status, message })
      for _, user in ipairs { true, {}, { id = 7 }, "x", 5 } do
        assert.equal(500, (authenticate("socket_id=1.2", user)))
      end
      assert.equal(500, (subscriber.authenticate_user(client, error, "socket_id=1.2")))
    end)

    it("refuses bad forms before it asks", function()
      for _, form in ipairs { "", "socket_id=", "socket_id=1.2&socket_id=1.2", "socket_id=1.2%0a", "x=1.2", "\255" } do
        assert.equal(400, (authenticate(form, { id = "7" })))
      end
      assert.same({}, asked)
    end)
  end)

  it("says what is wrong", function()
    local function responds(status, text, message, ...)
      assert.same({ status, ('{"error":"%s"}'):format(text), message }, { ... })
    end
    local channels = "channel_name must be a private or presence channel, or a list of them"
    responds(400, "socket_id is missing, repeated or not valid", "socket_id is missing", authorize("", true))
    responds(400, "the form is malformed or has too many fields",
      "the form must have at most 1000 fields", authorize(("a&"):rep(1001), true))
    responds(400, channels, "channel_name is missing", authorize("socket_id=1.2", true))
    responds(400, "socket_id is missing, repeated or not valid", "socket_id is missing",
      subscriber.authenticate_user(client, returning(true), ""))
    responds(403, "forbidden", "refused", authorize(COMMON, nil))
    responds(403, "forbidden", "refused: banned", authorize(COMMON, nil, "banned"))
    responds(500, "internal error", "the application must return a table, a JSON text, true or nil, got number",
      authorize(COMMON, 5))
    responds(500, "internal error", "the application must return a user, got true",
      subscriber.authenticate_user(client, returning(true), "socket_id=1.2"))
    responds(500, "internal error", "the application raised: no",
      subscriber.authorize_channel(client, function() error("no", 0) end, COMMON))
  end)
end)
