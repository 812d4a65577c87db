-- What a process's memory holds of the secrets that it was given, before and after it closes what uses them. Another
-- process stops and is looked through. There Lua and libcurl overwrite what they free, which neither does otherwise: what
-- is found is held by an object, or was left by pusher's own C code. (SECURITY.md says what stays.)

local account = require "tools.local_server.account"
local cjson = require "cjson"
local core = require "pusher.core"
local local_server = require "tools.local_server"
local push_server = require "tools.local_server.push"
local secrets = require "pusher_test.secrets"

local PROGRAM = "spec/system/secrets/scenarios.lua"

-- Printable, and found nowhere else.
local function new_secret()
  return (core.base64url_encode(core.random(30)))
end

local SECRET, OLDER, PROXY, BEAMS, WEBHOOK = new_secret(), new_secret(), new_secret(), new_secret(), new_secret()
local MASTER = core.random(32)
local MASTER_BASE64 = core.base64_encode(MASTER)
local CHANNEL_KEY = core.channel_key("private-encrypted-secrets", MASTER)

-- The integers of an RSA private key (RFC 8017 appendix A.1.2, inside RFC 5208's structure).
local function rsa_integers(pem)
  local der = core.base64_decode((pem:gsub("%-%-%-%-%-[^\n]*\n", ""):gsub("%s", "")))
  local at, integers = 1, {}
  while at <= #der do
    local tag, size = der:byte(at), der:byte(at + 1)
    at = at + 2
    if size > 128 then
      local bytes = size - 128
      size = 0
      for _ = 1, bytes do
        size, at = size * 256 + der:byte(at), at + 1
      end
    end
    if tag == 2 and size > 32 then
      integers[#integers + 1] = der:sub(at + 1, at + size - 1) -- the first byte may be a sign's
    end
    -- Sequences and octet strings hold what follows.
    at = at + ((tag == 0x30 or tag == 4) and 0 or size)
  end
  return integers
end

local function states(prefix, secret, digest)
  local inner, outer = secrets.states(secret, digest)
  return { name = prefix .. ", inner state", bytes = inner }, { name = prefix .. ", outer state", bytes = outer }
end

-- What to look for: `open` says whether it must be found, or must not be, while the object is open.
local function needle(name, bytes, open)
  return { name = name, bytes = bytes, open = open }
end

local function open(entry)
  entry.open = true
  return entry
end

local function client_needles()
  local inner, outer = states("secret", SECRET, "sha256")
  local older_inner, older_outer = states("older secret", OLDER, "sha256")
  older_inner.open, older_outer.open = false, false
  return {
    needle("secret", SECRET, false), open(inner), open(outer), needle("older secret", OLDER, false), older_inner,
    older_outer, needle("master key", MASTER, true), needle("master key in base64", MASTER_BASE64, false),
    needle("channel's key", CHANNEL_KEY, false), needle("channel's key in base64", core.base64_encode(CHANNEL_KEY), false),
    needle("proxy's password", PROXY), needle("proxy's credentials", core.base64_encode("proxy-user:" .. PROXY)),
  }, { secret = SECRET, master = MASTER_BASE64, proxy = PROXY, older = OLDER }, { "secret", "master key in base64", "proxy's password" }
end

local function beams_needles()
  local inner, outer = states("secret key", BEAMS, "sha256")
  local hook_inner, hook_outer = states("webhook's secret", WEBHOOK, "sha1")
  return {
    needle("secret key", BEAMS, true), open(inner), open(outer), needle("webhook's secret", WEBHOOK, false),
    open(hook_inner), open(hook_outer),
  }, { beams = BEAMS, webhook = WEBHOOK }, { "secret key", "webhook's secret" }
end

local function fcm_needles()
  local known = account.new()
  -- JSON escapes line breaks and slashes.
  local piece = known.private_key:match(("[%w+]"):rep(40))
  local list = { needle("private key", piece, true), needle("access token", "ya29.", true) }
  for index, integer in ipairs(rsa_integers(known.private_key)) do
    if index > 1 then -- the first is public
      list[#list + 1] = needle(("integer %d"):format(index), integer)
      list[#list + 1] = needle(("integer %d, reversed"):format(index), secrets.reverse(integer))
    end
  end
  assert(#list == 2 + 2 * 6)
  return list, { account = cjson.encode(known) }, { "private key" }
end

local function write_files(files)
  local pipe = assert(io.popen("mktemp -d -t pusher-secrets.XXXXXX"))
  local directory = pipe:read("*l")
  pipe:close()
  for name, text in pairs(files) do
    local file = assert(io.open(directory .. "/" .. name, "wb"))
    file:write(text)
    file:close()
  end
  return directory
end

describe("secrets in memory", function()
  local function start(scenario, files, server)
    local directory = write_files(files)
    local hello = {}
    for _, name in ipairs { "app_id", "key", "host", "port", "proxy_port", "instance_id" } do
      hello[name] = rawget(server, name)
    end
    local pipe = assert(io.popen(("echo $$; exec %s %s %s %s '%s'"):format(
      os.getenv("PUSHER_LUA"), PROGRAM, scenario, directory, cjson.encode(hello))))
    return pipe, tonumber(pipe:read("*l")), directory
  end

  -- How often each needle is found at each stage.
  local function look(scenario, needles, files, server)
    local pipe, pid, directory = start(scenario, files, server)
    local bytes, found = {}, {}
    for index, entry in ipairs(needles) do
      bytes[index] = entry.bytes
    end
    for stage in pipe:lines() do
      found[stage] = {}
      assert(secrets.wait(pid))
      for index, count in ipairs(secrets.count(pid, bytes)) do
        found[stage][needles[index].name] = count
      end
      secrets.continue(pid)
    end
    pipe:close()
    os.execute("rm -rf '" .. directory .. "'")
    assert.is_table(found.closed, "the program failed")
    return found
  end

  local function check(scenario, server, needles, files, held)
    local found = look(scenario, needles, files, server)
    local wrong = {}
    for _, name in ipairs(held) do
      wrong[#wrong + 1] = found.held[name] == 0 and name .. " is not found where it is held" or nil
    end
    for _, entry in ipairs(needles) do
      local name = entry.name
      if entry.open ~= nil and (found.open[name] > 0) ~= entry.open then
        wrong[#wrong + 1] = ("%s: %d while open"):format(name, found.open[name])
      end
      wrong[#wrong + 1] = found.closed[name] > 0 and ("%s: %d after close"):format(name, found.closed[name]) or nil
    end
    assert.equal("", table.concat(wrong, "\n"))
  end

  for _, transport in ipairs { "curl", "async" } do
    it("are gone when a client over " .. transport .. " is closed", function()
      local server = local_server.start { secret = SECRET }
      finally(function() server:stop() end)
      check(transport, server, client_needles())
    end)
  end

  it("are gone when a Beams client is closed", function()
    local server = push_server.start { secret_key = BEAMS }
    finally(function() server:stop() end)
    check("beams", server, beams_needles())
  end)

  it("are gone when an FCM handler is stopped", function()
    local server = push_server.start()
    finally(function() server:stop() end)
    check("fcm", server, fcm_needles())
  end)
end)
