-- Compares readers with others of the same format, on texts as in tries.lua. Run by run.lua:
--   compare.lua SECONDS SEED              forms against Python's parse_qsl, responses of ngx against libcurl
--   compare.lua once NUMBER form|response   one text again, which is shown
-- Prints a line for each of them, and `N executions, N targets, N failed`.
--
-- Base64 is compared with OpenSSL and libsodium in c/text.c.
--
-- Deliberate differences:
-- * Of a form's fields, empty ones (`a=b&&c=d`) do not count here; parse_qsl counts them, and has the same limit.
-- * libcurl reads responses that the reader of ngx refuses (REFUSALS): those whose first line, header lines, length,
--   transfer coding or folds are not as RFC 9112 has them, and some that end early.
-- * The reader of ngx skips a chunked body's trailers (RFC 9110 6.5.1), of which libcurl refuses some; and it allows any
--   number of zeros before a chunk's size, where libcurl reads 16 digits (CHUNKED).
-- What both accept, they must read alike.

local core = require "pusher.core" -- now()
local form = require "pusher.channels.form"
local mutate = require "spec.system.fuzz.mutate"
local response = require "pusher.transport.ngx.response"

local BATCH = 500 -- forms
local MAX_BODY = 100000
local TIMEOUT = 30 -- seconds, which no response takes: the peer ends each

local unpack = table.unpack or unpack -- luacheck: ignore

local function hex(text)
  return (text:gsub(".", function(char) return ("%02x"):format(char:byte()) end))
end

local function unhex(text)
  return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end))
end

-- ---- the other side ----

local peer = {}

function peer.open()
  local fifo = os.tmpname()
  os.remove(fifo)
  assert(os.execute("mkfifo -m 600 " .. fifo))
  peer.input = assert(io.popen("exec python3 spec/system/fuzz/compare_peer.py > " .. fifo, "w"))
  peer.output = assert(io.open(fifo))
  os.remove(fifo)
  peer.port = tonumber(peer.output:read("*l"))
end

function peer.close()
  peer.input:close()
  peer.output:close()
end

-- ---- forms ----

local forms = { texts = { "a=%41%zz%4&b=+%2B%26&%3d=%25&\255=%ff&a=1", unpack(require("spec.system.fuzz.targets.forms").form.texts) } }

local function show_fields(fields)
  local names, lines = {}, {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = fields[name]
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      lines[#lines + 1] = ("%q=%q"):format(name, one)
    end
  end
  return table.concat(lines, "&")
end

-- The pairs that Python read, as form.fields returns them.
local function read_pairs(line)
  local fields = {}
  for name, value in line:gmatch("(%x*)=(%x*)") do
    local key = unhex(name)
    fields[key] = fields[key] or {}
    table.insert(fields[key], unhex(value))
  end
  return fields
end

local function compare_form(text, line)
  local fields = form.fields(text)
  local _, separators = text:gsub("&", "")
  if line == "-" then
    assert(separators >= form.MAX_FIELDS, "Python refuses it")
  elseif not fields then
    error("refused, but Python reads it")
  else
    local ours, theirs = show_fields(fields), show_fields(read_pairs(line))
    assert(ours == theirs, ("ours %s\nPython's %s"):format(ours, theirs))
  end
end

-- Compares the texts of these numbers; returns how many, and the number of the first that differs.
function forms.run(first, count, show)
  local texts, lines = {}, { "form " .. count }
  for index = 1, count do
    math.randomseed(first + index - 1)
    texts[index] = mutate.text(forms.texts)
    lines[#lines + 1] = hex(texts[index])
    if show then
      print(("%q"):format(texts[index]))
    end
  end
  peer.input:write(table.concat(lines, "\n"), "\n")
  peer.input:flush()
  local results = {}
  for index = 1, count do
    results[index] = peer.output:read("*l")
  end
  for index = 1, count do
    local ok, message = pcall(compare_form, texts[index], results[index])
    if not ok then
      print(message)
      return index, first + index - 1
    end
  end
  return count
end

-- ---- responses ----

local responses = { texts = require("spec.system.fuzz.targets.http").reader.texts }

-- Why the reader of ngx refuses what libcurl may accept.
local REFUSALS = {
  "the response is not HTTP/1.1", "invalid header line", "invalid Content-Length", "unsupported Transfer-Encoding", "a folded ",
  "invalid chunk size", "a chunk is longer than its size", "the response head is longer", "the server switched",
  "the server closed the connection",
}

-- What libcurl says of these. It allows 4 KiB for a trailer.
local CHUNKED = {
  "Failed reading the chunked-encoded stream", "Malformed encoding found in chunked-encoding", "the response is larger than",
  "Too long hexadecimal number",
}

local function read_here(bytes)
  local parser = response.new("POST", MAX_BODY)
  local done, message, code = parser:feed(bytes)
  if done == false then
    done, message, code = parser:close()
  end
  return done and parser or nil, message, code
end

local function has_any(message, patterns)
  for _, pattern in ipairs(patterns) do
    if message:find(pattern, 1, true) then
      return true
    end
  end
  return false
end

local function fetch(bytes)
  peer.input:write("http ", hex(bytes), "\n")
  peer.input:flush()
  return responses.transport:send({
    method = "POST", scheme = "http", host = "127.0.0.1", port = peer.port, target = "/", headers = {}, body = "{}",
    timeout = TIMEOUT, once = true,
  }, function(status, body, headers)
    return { status = status, body = body, headers = headers }
  end)
end

local function compare_response(bytes)
  local ours, message, code = read_here(bytes)
  local theirs, their_message, details = fetch(bytes)
  if ours and theirs then
    assert(ours.status == theirs.status, ("status %d, libcurl's %d"):format(ours.status, theirs.status))
    assert(ours.body == theirs.body, ("body %q, libcurl's %q"):format(ours.body, theirs.body))
  elseif theirs then
    assert(has_any(message, REFUSALS), "libcurl accepts it: " .. message .. " " .. code)
  elseif ours then
    assert(ours.chunked and has_any(their_message, CHUNKED), "libcurl refuses it: " .. their_message .. " " .. details.code)
  end
end

function responses.open()
  responses.transport = assert(require("pusher.transport.curl").new {
    keepalive = { pool_size = 0 }, max_response_bytes = MAX_BODY,
  })
end

function responses.run(first, count, show)
  for number = first, first + count - 1 do
    math.randomseed(number)
    local bytes = mutate.text(responses.texts)
    if show then
      print(("%q"):format(bytes))
    end
    local ok, message = pcall(compare_response, bytes)
    if not ok then
      print(message)
      return number - first + 1, number
    end
  end
  return count
end

-- ---- the run ----

local function run(seconds, seed)
  local sides = { { "form", forms, BATCH, seconds / 4 }, { "response", responses, 1, seconds * 3 / 4 } }
  local sum, faults = 0, 0
  for _, side in ipairs(sides) do
    local name, target, size, budget = unpack(side)
    local count, finish, fault = 0, core.now() + budget, nil
    while not fault and core.now() < finish do
      local more
      more, fault = target.run(seed + count, size)
      count = count + more
    end
    if fault then
      print(("repeat: lua5.4 spec/system/fuzz/compare.lua once %d %s"):format(fault, name))
      faults = faults + 1
    end
    print(("%-16s %9d executions%s"):format(name, count, fault and ", FAILED" or ""))
    sum = sum + count
  end
  print(("%d executions, %d targets, %d failed"):format(sum, #sides, faults))
end

peer.open()
responses.open()
if arg[1] == "once" then
  local target = arg[3] == "form" and forms or responses
  local _, fault = target.run(tonumber(arg[2]), 1, true)
  print(fault and "differs" or "ok")
  os.exit(not fault)
else
  io.stdout:setvbuf("line")
  run(tonumber(arg[1]), tonumber(arg[2]))
end
responses.transport:close()
peer.close()
