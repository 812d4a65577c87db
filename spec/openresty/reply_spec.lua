local reply = require "pusher.openresty.reply"

describe("pusher.openresty.reply", function()
  it("has a text for each status", function()
    for _, status in ipairs { 400, 401, 403, 405, 411, 413, 415, 500 } do
      assert.is_truthy(reply.refusal(status):find('^{"error":"[%a][%w%s/,%-]+"}$'))
    end
    assert.equal('{"error":"another text"}', reply.refusal(400, "another text"))
  end)

  it("takes plain references as callbacks", function()
    for _, name in ipairs { "f", "_", "$", "jQuery1124_3", "app.receive", "Pusher.auth_callbacks['1']", 'a["b"]', "a[0].b",
      "a['b']['c'].d", ("x"):rep(128) } do
      assert.is_true(reply.is_callback(name), name)
    end
  end)

  it("takes nothing else", function()
    for _, name in ipairs { "", "alert(1)//", "a b", "a;b", "1a", "a.", ".a", "a..b", "a[", "a[']", "a['b", "a['b\"]", "a['b c']",
      "a['b\\']", "a[b]", "a[1", "a=1", "a\n", "a\0", "<script>", "a['</script>']", "\195\164", "a-b", "a/**/", "a['']",
      ("x"):rep(129) } do
      assert.is_false(reply.is_callback(name), name)
    end
    for _, value in ipairs { 1, true, { "a", "b" } } do
      assert.is_false(reply.is_callback(value))
    end
    assert.is_false(reply.is_callback(nil))
  end)

  it("wraps JSON in a call", function()
    assert.equal('/**/Pusher.auth_callbacks[\'1\']({"auth":"k:s"});', reply.jsonp("Pusher.auth_callbacks['1']", '{"auth":"k:s"}'))
  end)

  it("escapes what ends a line in JavaScript and not in JSON", function()
    assert.equal('/**/f("a\\u2028b\\u2029c\226\130\172");', reply.jsonp("f", '"a\226\128\168b\226\128\169c\226\130\172"'))
  end)

  it("says what was refused", function()
    for status, text in pairs { [400] = "bad request", [401] = "unauthorized", [403] = "forbidden",
      [405] = "method not allowed", [411] = "the request must have a Content-Length", [413] = "the body is too large",
      [415] = "the body must be application/x-www-form-urlencoded, application/json or multipart/form-data", [500] = "internal error" } do
      assert.equal('{"error":"' .. text .. '"}', reply.refusal(status))
    end
  end)
end)
