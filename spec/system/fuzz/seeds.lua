--- The first inputs of the C targets, in the layouts that the files in c/ read.

local key = require "spec.helpers.key"

local seeds = {}

-- A text after its size, in units of `scale` bytes, which it is filled up to.
local function sized(text, scale)
  local units = math.ceil(#text / (scale or 1))
  return string.char(units) .. text .. (" "):rep(units * (scale or 1) - #text)
end

-- The bytes between the lines of a PEM text.
local function der(pem)
  local core = require "pusher.core"
  return assert(core.base64_decode((pem:gsub("%-%-%-%-%-[^\n]*", ""):gsub("%s", ""))))
end

local ONE = "\1" -- of fuzz_number: 1
local PORT = "\3" -- 443

local function request(flags, headers, body)
  local parts = { string.char(flags), PORT, ONE, sized "POST", sized("example.com ", 2), sized("/apps/3/events?a=b", 4) }
  parts[#parts + 1] = string.char(#headers)
  for _, header in ipairs(headers) do
    parts[#parts + 1] = sized(header[1])
    parts[#parts + 1] = sized(header[2], 2)
  end
  return table.concat(parts) .. body
end

-- result, connects, status / 4, error, steps
local function response(flags, result, error, steps)
  return string.char(flags) .. string.char(result, 1, 50) .. sized(error) .. string.char(#steps) .. table.concat(steps)
end

local HEAD, BODY, END = "\1" .. sized "OK\r\n", "\3" .. sized "{}", "\2"
local HEADER = "\0" .. sized "Content-Length: 2\r\n"

--- Names of targets to lists of inputs.
function seeds.all()
  return {
    form = {
      "\1socket_id=123.456&channel_name=private-chat", "\0socket_id=1.2&channel_name=presence-a%2Db",
      "\3\1\1kkkkkkkkf\1m\1ksocket_id=1.2&channel_name=private-encrypted-a", "\0123.456", "\0a-b_c=d@e,f.g;h",
    },
    base64 = { "\0aGVsbG8=", "\1aGVsbG8", "\0-_-_", "\0++//", "\1\0\255" },
    utf8 = { "h\195\169llo w\195\182rld \226\130\172 \240\159\152\128", "\237\160\128", "\244\144\128\128", "\192\128aaaaaaaaaaaaaaa",
      "[1234567890123456,\"1234567890123456\"]" },
    digest = {
      "\0" .. sized "secret" .. sized("\3\1\1frontttt\1b     ", 4) .. "text",
      "\1" .. sized(("k"):rep(65)) .. "\0" .. ("t"):rep(200),
    },
    secretbox = { ("k"):rep(32) .. ("n"):rep(24) .. "\0\5plain text", ("k"):rep(31) },
    rsa = {
      "\0" .. key "pkcs8", "\0" .. key "pkcs1", "\0" .. key "pkcs8_encrypted", "\0" .. key "ec", "\0" .. key "rsa1024",
      "\4" .. der(key "pkcs8"), "\1" .. key "public", "\1" .. key "public_pkcs1", "\5" .. der(key "public"), "\2", "\3text",
    },
    settings = {
      "\0\0\1\1\1\1\1" .. sized("http://user:password@proxy:3128 ", 4) .. sized("/etc/ca.crt ", 4),
      "\1\1\1\1\1\1\1" .. sized("socks5h://[::1]:1080", 4), "\0\7\1\1\1\1\1",
    },
    request = {
      request(0, { { "Content-Type", "application/json" }, { "X", "" } }, "{}"), request(1, {}, ""),
      request(16, { { "A", "b\r\nC: d" } }, "x"),
    },
    response = {
      response(0, 0, "", { HEAD, HEADER, END, BODY }), response(1, 52, "Empty reply", { "\6\1\1", HEAD }),
      response(2, 35, "error:0A000126:SSL routines::unexpected eof while reading", {}),
      response(2, 92, "", { "\6\1\1", "\4" .. sized "received GOAWAY, error=0, last_stream=1", "\4" .. sized "Using Stream ID: 3" }),
      response(3, 0, "", { "\5" .. sized "POST / HTTP/2\r\n", "\4" .. sized "REFUSED_STREAM, try again", "\7\9\0" }),
      response(0, 0, "", { HEAD, ("\8\255"):rep(3), END }),
    },
    arguments = { "\6secret\16\4\7\3abc\7\1x\2\0\7\2\1", "\1k\0\1\2\1\3\1\2\2", "\1k\27\1\3\0\29\1\2\1" },
  }
end

--- Writes them into `folder`/TARGET.
function seeds.write(folder)
  local names = {}
  for name, inputs in pairs(seeds.all()) do
    names[#names + 1] = name
    assert(os.execute(("mkdir -p %s/%s"):format(folder, name)))
    for index, input in ipairs(inputs) do
      local file = assert(io.open(("%s/%s/seed-%d"):format(folder, name, index), "wb"))
      file:write(input)
      file:close()
    end
  end
  table.sort(names)
  return names
end

return seeds
