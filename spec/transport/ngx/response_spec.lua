local response = require "pusher.transport.ngx.response"
local wire_cases = require "spec.helpers.wire_cases"

-- Feeds a text in pieces of `size` bytes, then closes when it is not complete.
local function read(text, size, method, max_body_bytes)
  local parser = response.new(method or "POST", max_body_bytes or 1000)
  local done, message, code = false, nil, nil
  for position = 1, #text, size do
    done, message, code = parser:feed(text:sub(position, position + size - 1))
    if done ~= false then
      break
    end
  end
  if done == false then
    done, message, code = parser:close()
  end
  return done and parser, message, code
end

local SIZES = { 1, 2, 3, 7, 100000 }

local function each_size(text, check, method, max_body_bytes)
  for _, size in ipairs(SIZES) do
    check(read(text, size, method, max_body_bytes))
  end
end

local function expect(text, status, body, persistent, method)
  each_size(text, function(parsed, message)
    assert.is_truthy(parsed, message)
    assert.equal(status, parsed.status)
    assert.equal(body, parsed.body)
    assert.equal(persistent, parsed.persistent)
  end, method)
end

local function expect_failure(text, code, expected, max_body_bytes)
  each_size(text, function(parsed, message, got)
    assert.is_falsy(parsed)
    assert.equal(code, got)
    assert.is_truthy(message:find(expected, 1, true), message)
  end, "POST", max_body_bytes)
end

describe("pusher.transport.ngx.response", function()
  it("reads a body of a given length", function()
    expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true)
    expect("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, "", true)
    expect("HTTP/1.1 200 OK\r\ncontent-length: 5 , 5\r\n\r\nhello", 200, "hello", true)
  end)

  it("reads chunks, and forgets extensions and trailers", function()
    expect("HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n1 \r\n!\r\n0\r\nX: y\r\n\r\n",
      202, "hello!", true)
    expect("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n", 200, "", true)
  end)

  it("reads a body that ends with the connection", function()
    expect("HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false)
    expect("HTTP/1.0 200 OK\r\n\r\n", 200, "", false)
  end)

  it("accepts lines that end in a newline alone", function()
    expect("HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", 200, "hi", true)
  end)

  it("skips interim responses", function()
    expect("HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
      200, "ok", true)
  end)

  it("knows which responses have no body", function()
    expect("HTTP/1.1 204 No Content\r\n\r\n", 204, "", true)
    expect("HTTP/1.1 304 Not Modified\r\n\r\n", 304, "", true)
    expect("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", true, "HEAD")
  end)

  it("reads the head only of a response to CONNECT", function()
    for _, lines in ipairs { "", "Content-Length: 5\r\n", "Content-Length: x\r\n", "Transfer-Encoding: gzip\r\n",
      "Content-Length: 1\r\n 2\r\n" } do
      expect("HTTP/1.1 200 Established\r\n" .. lines .. "\r\n", 200, "", true, "CONNECT")
      local refusal = read("HTTP/1.1 407 No\r\n" .. lines .. "\r\nplease", 100000, "CONNECT")
      assert.same({ 407, "", true }, { refusal.status, refusal.body, refusal.surplus })
    end
  end)

  it("keeps the header lines of the final response unchanged", function()
    each_size("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\nC:d \r\n\te\r\nContent-Length: 0\r\n\r\n",
      function(parsed)
        assert.equal("A: b\r\nC:d  e\r\nContent-Length: 0\r\n", parsed.headers)
      end)
  end)

  it("ends the connection when the server says so, or when its state is in doubt", function()
    expect("HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n", 200, "", false)
    expect("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", false)
    expect("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200, "", false)
    for _, line in ipairs { "Content-Length: 5", "Transfer-Encoding: chunked" } do
      expect("HTTP/1.1 204 No Content\r\n" .. line .. "\r\n\r\n", 204, "", false)
    end
    expect("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, "", true)
    local surplus = read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", 1000)
    assert.is_false(surplus.persistent)
  end)

  it("refuses what is not HTTP/1.1", function()
    for _, text in ipairs { "SSH-2.0-x\r\n", "HTTP/2 200\r\n", "HTTP/1.1 20\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 099 x\r\n",
      "\r\n", "HTTP/1.1200 OK\r\n", "\0\1\2\n",
      "HTTP/1.1 200 O\0K\r\n", "HTTP/1.1 200 O\rK\r\n" } do
      expect_failure(text .. "\r\n", "network", "the response is not HTTP/1.1")
    end
  end)

  it("refuses headers that leave the length in doubt", function()
    for _, value in ipairs { "-1", "+5", "5, 6", "", "0x5", "5 5", "9999999999999999", "5,", ",5" } do
      expect_failure("HTTP/1.1 200 OK\r\nContent-Length: " .. value .. "\r\n\r\nhello", "network", "Content-Length")
    end
    expect_failure("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "network", "Content-Length")
    expect_failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "network", "Transfer-Encoding")
    expect_failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "network",
      "Transfer-Encoding")
  end)

  it("refuses lines that are not headers", function()
    for _, line in ipairs { "no colon", ": no name", "Na me: x", " folded: first", "A: b\0c", "A: b\rc", "A: b\r\n c\0" } do
      expect_failure("HTTP/1.1 200 OK\r\n" .. line .. "\r\n\r\n", "network", "invalid header line")
    end
    expect_failure("HTTP/1.1 101 Switching\r\n\r\n", "network", "another protocol")
  end)

  it("refuses folds in what frames the body or ends the connection", function()
    for _, line in ipairs { "Content-Length: 5\r\n 0", "content-length:\r\n\t5", "Transfer-Encoding: chunked\r\n x",
      "Connection: close\r\n , foo" } do
      expect_failure("HTTP/1.1 200 OK\r\n" .. line .. "\r\n\r\n", "network",
        line:find("^content%-length:\r") and "invalid Content-Length" or "a folded " .. line:match("^[^:]+"))
    end
    expect("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\r\n b\r\n\r\n", 200, "", true)
  end)

  describe("with the head that was read last", function()
    local HEAD = "HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\n"

    -- The results of texts one after another, each in the given pieces; and how many of them needed no parser.
    local function read_all(kept, texts)
      local results, whole = {}, 0
      for index, pieces in ipairs(texts) do
        local method = pieces.method or "POST"
        local parser = kept and response.with_kept_head(method, kept, pieces[1])
        local done, message = parser, nil
        whole = whole + (done and 1 or 0)
        if not done then
          parser = response.new(method, 100, kept)
          for _, piece in ipairs(pieces) do
            done, message = parser:feed(piece)
          end
        end
        results[index] = done and { parser.status, parser.headers, parser.body, parser.persistent, parser.surplus } or message
          or false
      end
      return results, whole
    end

    it("reads as without it", function()
      local texts = {
        { HEAD .. "ab" }, { HEAD .. "cd" }, { HEAD, "ef" }, { HEAD .. "g", "h" }, { HEAD:sub(1, 20), HEAD:sub(21) .. "ij" },
        { HEAD .. "kl and more" }, { HEAD }, { HEAD .. "m" }, { "", HEAD .. "no" }, { HEAD, method = "HEAD" },
        { HEAD .. "ok", method = "CONNECT" }, { HEAD .. "pq" }, { (HEAD:gsub("2", "3", 1)) .. "x" },
        { (HEAD:gsub("Length: 2", "Length: 0")) }, { (HEAD:gsub("Length: 2", "Length: 101")) },
        { (HEAD:gsub("Length: 2", "Length: 3")) .. "abc" }, { (HEAD:gsub("Length: 2", "Length: 3")) .. "abc" },
        { (HEAD:gsub("HTTP/1.1", "HTTP/1.0")) .. "ab" }, { (HEAD:gsub("HTTP/1.1", "HTTP/1.0")) .. "ab" },
        { "HTTP/1.1 100 C\r\n\r\n" .. HEAD .. "ab" }, { "HTTP/1.1 100 C\r\n\r\n" .. HEAD .. "ab" },
        { "HTTP/1.1 100 C\r\n\r\n", HEAD .. "ab" }, { HEAD .. "ab" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" },
        { HEAD:gsub("\r\n\r\n", "\r\n") .. "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" }, { HEAD .. "rs" },
      }
      local results, whole = read_all({}, texts)
      assert.same((read_all(nil, texts)), results)
      assert.equal(6, whole)
    end)

    it("keeps a short head in one piece, without its body", function()
      local kept = {}
      read_all(kept, { { HEAD .. "ab" } })
      assert.equal(HEAD, kept.head)
      for _, pieces in ipairs { { "HTTP/1.1 200 OK\r\n", "Content-Length: 2\r\n\r\nab" },
        { ("HTTP/1.1 200 OK\r\nX: %s\r\nContent-Length: 2\r\n\r\nab"):format(("x"):rep(2048)) } } do
        read_all(kept, { pieces })
        assert.equal(HEAD, kept.head)
      end
    end)

    -- As much as is kept before memory lacks: in the table, which grows, or for the head's text.
    it("reads the next response right after memory has lacked", function()
      local other = { "HTTP/1.1 500 No\r\nX: y\r\nContent-Length: 2\r\n\r\nno" }
      local expected = read_all(nil, { { HEAD .. "ab" }, other })
      local function lack()
        error("not enough memory", 0)
      end
      for fields = 0, 4 do
        local left = fields
        local kept = setmetatable({}, { __newindex = function(t, name, value)
          left = left - 1
          return left < 0 and lack() or rawset(t, name, value)
        end })
        local _, message = pcall(read_all, kept, { { HEAD .. "ab" } })
        assert.equal("not enough memory", message)
        assert.same(expected, (read_all(setmetatable(kept, nil), { { HEAD .. "ab" }, other })), fields)
      end
      local kept, sub = {}, string.sub
      read_all(kept, { { HEAD .. "ab" } })
      string.sub = function(text, first, last) -- luacheck: ignore
        return text == other[1] and first == 1 and lack() or sub(text, first, last)
      end
      local _, message = pcall(read_all, kept, { other })
      string.sub = sub -- luacheck: ignore
      assert.equal("not enough memory", message)
      assert.same(expected, (read_all(kept, { { HEAD .. "ab" }, other })))
    end)
  end)

  it("reads heads of up to 64 KiB", function()
    local start, rest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ", "\r\n\r\n"
    local value = ("x"):rep(65536 - #start - #rest)
    assert.is_truthy(read(start .. value .. rest, 1000, "POST", 1))
    local parsed, message, code = read(start .. value .. "x" .. rest, 1000, "POST", 1)
    assert.same({ nil, "the response head is longer than 65536 bytes", "too_large" }, { parsed, message, code })
  end)

  it("reads zeros before the size of a chunk", function()
    local head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    expect(head .. ("0"):rep(100) .. "5\r\nhello\r\n" .. ("0"):rep(100) .. "\r\n\r\n", 200, "hello", true)
    expect_failure(head .. ("0"):rep(100) .. "123456789\r\n", "network", "invalid chunk size")
    expect_failure(head .. (("0"):rep(10000) .. "1\r\nx\r\n"):rep(10), "too_large", "head is longer")
  end)

  it("reads what servers send as the cases of the wire say, in pieces of any size", function()
    for _, case in ipairs(wire_cases) do
      local bytes = case.bytes or table.concat(case.pieces)
      for _, size in ipairs(#bytes < 1000 and SIZES or { 1000, 100000 }) do
        local parsed, _, code = read(bytes, size, "POST", 1000000)
        local allowed = case.ngx or case.allow or { { status = 200, body = '{"ok":1}' } }
        local got = parsed and { status = parsed.status, body = parsed.body } or code
        local found = false
        for _, outcome in ipairs(allowed) do
          found = found or got == outcome
            or type(got) == "table" and got.status == outcome.status and got.body == outcome.body
        end
        assert.is_true(found, ("%s, in pieces of %d: %s"):format(case.name, size, tostring(code or parsed.status)))
      end
    end
  end)

  it("refuses chunks of another length than they say", function()
    local head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _, chunk in ipairs { "x\r\n", "\r\n", "-1\r\n", "5 5\r\n", "123456789\r\n", "0x5\r\n" } do
      expect_failure(head .. chunk, "network", "invalid chunk size")
    end
    expect_failure(head .. "2\r\nabc\r\n0\r\n\r\n", "network", "longer than its size")
  end)

  it("says that the connection broke in the middle, or before", function()
    for _, text in ipairs { "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nA: b", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "HTTP/1.1 100 Continue\r\n\r\n" } do
      expect_failure(text, "network", "in the middle of the response")
    end
    local parser = response.new("POST", 1000)
    local done, message, code = parser:close()
    assert.is_nil(done)
    assert.equal("network", code)
    assert.is_truthy(message:find("without a response", 1, true))
    assert.is_false(parser.received)
  end)

  it("accepts a body up to the limit and no longer, however it is framed", function()
    local framed = {
      function(body) return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body) end,
      function(body) return ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n"):format(
        body:sub(1, 1), #body - 1, body:sub(2)) end,
      function(body) return "HTTP/1.1 200 OK\r\n\r\n" .. body end,
    }
    for _, frame in ipairs(framed) do
      each_size(frame(("x"):rep(50)), function(parsed)
        assert.equal(50, #parsed.body)
      end, "POST", 50)
      expect_failure(frame(("x"):rep(51)), "too_large", "longer than 50 bytes", 50)
    end
  end)

  it("refuses a head without an end", function()
    expect_failure("HTTP/1.1 200 OK\r\n" .. ("X: y\r\n"):rep(20000), "too_large", "head")
    expect_failure("HTTP/1.1 200 OK\r\nX: " .. ("y"):rep(70000), "too_large", "head")
    expect_failure(("HTTP/1.1 100 Continue\r\n\r\n"):rep(5000), "too_large", "head")
    expect_failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" .. ("X: y\r\n"):rep(20000), "too_large", "head")
    expect_failure("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" .. ("y"):rep(70000), "too_large", "head")
  end)

  it("accepts many small chunks, which do not count as head", function()
    local text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. ("1\r\nx\r\n"):rep(40000) .. "0\r\n\r\n"
    local parsed = assert(read(text, 4096, "POST", 50000))
    assert.equal(40000, #parsed.body)
  end)

  it("refuses header lines whose spaces hide something", function()
    for _, case in ipairs {
      { function(n) return "X: a" .. (" "):rep(n) .. "b" end, nil },
      { function(n) return "X" .. (" "):rep(n) .. "a" end, "invalid header line" },
      { function(n) return ("x"):rep(n) end, "invalid header line" },
      { function(n) return "X: y" .. ("\r\n z"):rep(math.floor(n / 6)) end, nil },
      { function(n) return "Content-Length: 1" .. (" "):rep(n) .. "1" end, "invalid Content-Length" },
      { function(n) return "Content-Length: a" .. (" "):rep(n) .. "b" end, "invalid Content-Length" },
      { function(n) return "Content-Length: " .. ("1"):rep(n) end, "invalid Content-Length" },
      { function(n) return "Content-Length: " .. (","):rep(n) end, "invalid Content-Length" },
      { function(n) return "Transfer-Encoding: chunked" .. (" "):rep(n) .. "x" end, "unsupported Transfer-Encoding" },
      { function(n) return "Connection: x" .. (" "):rep(n) .. "y" end, nil },
    } do
      local _, message = read("HTTP/1.1 200 OK\r\n" .. case[1](60000) .. "\r\nContent-Length: 0\r\n\r\n", 100000)
      assert.equal(case[2], message)
    end
  end)

  it("ends with a response or a failure for any garbage", function()
    math.randomseed(7)
    local seed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    for _ = 1, 3000 do
      local bytes = { seed:byte(1, -1) }
      for _ = 1, math.random(1, 6) do
        bytes[math.random(#bytes)] = math.random(0, 255)
      end
      local parsed, message, code = read(string.char((table.unpack or unpack)(bytes)), math.random(1, 80))
      assert.is_truthy(parsed or (type(message) == "string" and (code == "network" or code == "too_large")))
    end
  end)

  it("keeps a connection unless the server closes it", function()
    for value, persistent in pairs { ["keep-alive"] = true, ["closed"] = true, ["x-close"] = true, ["close"] = false,
      ["CLOSE"] = false, ["keep-alive, Close"] = false, ["close\t,x"] = false, [""] = true } do
      expect(("HTTP/1.1 200 OK\r\nConnection: %s\r\nContent-Length: 0\r\n\r\n"):format(value), 200, "", persistent)
    end
  end)

  it("says what is wrong", function()
    local front = "HTTP/1.1 200 OK\r\n"
    for text, expected in pairs {
      ["HTTP/2 200\r\n"] = "the response is not HTTP/1.1",
      [front .. "Content-Length: x\r\n\r\n"] = "invalid Content-Length",
      [front .. "Transfer-Encoding: gzip\r\n\r\n"] = "unsupported Transfer-Encoding",
      ["HTTP/1.1 101 Switching\r\n\r\n"] = "the server switched to another protocol",
      [front .. "\0: x\r\n\r\n"] = "invalid header line",
      [front .. "x\r\n\r\n"] = "invalid header line",
      [front .. "Content-Length: 1\r\n 2\r\n\r\n"] = "a folded Content-Length",
      [front .. "Transfer-Encoding: chunked\r\n\r\nx\r\n"] = "invalid chunk size",
      [front .. "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"] = "a chunk is longer than its size",
      ["HTTP/1.1 2"] = "the server closed the connection in the middle of the response",
      [""] = "the server closed the connection without a response",
    } do
      local _, message, code = read(text, 1)
      assert.same({ expected, "network" }, { message, code })
    end
    local _, message, code = read(front .. ("x"):rep(65536), 100000)
    assert.same({ "the response head is longer than 65536 bytes", "too_large" }, { message, code })
    _, message, code = read(front .. "Content-Length: 1001\r\n\r\n", 100)
    assert.same({ "the response body is longer than 1000 bytes", "too_large" }, { message, code })
  end)
end)
