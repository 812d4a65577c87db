--- The machine of a run: what it is, which versions were measured, and who else used it meanwhile (Linux).

local text_file = require "tools.text_file"

local machine = {}

-- A run is marked when more than this was going on.
-- A run just before this one leaves a load average of its own, below 1.
local BUSY_LOAD, BUSY_PERCENT = 1, 5

local read = text_file.read

local function output(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read("*a")
  pipe:close()
  return text
end

-- Ticks in which some program ran, or another virtual machine did, and all ticks, of all cores.
local function machine_ticks()
  local user, nice, system, idle, wait, _, _, steal =
    read("/proc/stat"):match("^cpu +(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)")
  local busy = user + nice + system + steal
  return busy, busy + idle + wait
end

-- Those of our process group: the run, all sides, nginx, and the children that have ended.
local function own_ticks()
  local group = read("/proc/self/stat"):match("^.*%) %S+ %d+ (%d+)")
  local sum = 0
  for line in output("cat /proc/[0-9]*/stat"):gmatch("[^\n]+") do
    local of, rest = line:match("^.*%) %S+ %d+ (%d+) (.*)")
    if of == group then
      for ticks in rest:match("^" .. ("%S+ "):rep(8) .. "(%d+ %d+ %d+ %d+)"):gmatch("%d+") do
        sum = sum + ticks
      end
    end
  end
  return sum
end

local function load()
  return tonumber(read("/proc/loadavg"):match("^%S+"))
end

--- Begins to watch the machine.
-- @treturn function ends it and returns `{ load = { at the start, at the end }, others_percent = of all cores' time,
--   busy = whether the run is to be marked }`
function machine.watch()
  local start = load()
  local busy_before, all_before = machine_ticks()
  local own_before = own_ticks()
  return function()
    local busy, all = machine_ticks()
    local others = (busy - busy_before - (own_ticks() - own_before)) / (all - all_before) * 100
    others = math.max(0, others)
    return { load = { start, load() }, others_percent = others, busy = start > BUSY_LOAD or others > BUSY_PERCENT }
  end
end

-- The versions: a name, a command or a file that has it, a pattern.
local VERSIONS = {
  { "Lua", "lua5.4 -v", "Lua (%S+)" },
  { "LuaJIT", "luajit -v", "LuaJIT (%S+)" },
  { "lua-cjson", [[lua5.4 -e 'print(require("cjson")._VERSION)']], "(%S+)" },
  { "libcurl", "pkg-config --modversion libcurl", "^(%S+)\n$" },
  { "OpenSSL", "pkg-config --modversion libcrypto", "^(%S+)\n$" },
  { "libsodium", "pkg-config --modversion libsodium", "^(%S+)\n$" },
  { "nginx", "PATH=$PATH:/usr/sbin nginx -v", "nginx/(%S+)" },
  { "gcc", "gcc -dumpfullversion", "^(%S+)\n$" },
  { "Go", "go version", "go(%d%S+)", side = "go" },
  { "pusher-http-go", "cat bench/peers/go/go.mod", "pusher%-http%-go/v5 v(%S+)", side = "go" },
  { "Node", "node --version", "v(%S+)", side = "node" },
  { "npm's pusher", "cat bench/peers/node/package.json", '"pusher": "([^"]+)"', side = "node" },
  { "Rust", "rustc --version", "rustc (%S+)", side = "rust" },
  { "sockudo-http", "cat bench/peers/rust/Cargo.toml", 'sockudo%-http = "=([^"]+)"', side = "rust" },
  { "Python", "build/bench/python/bin/python --version", "Python (%S+)", side = "python" },
  { "PyPI's pusher", "cat bench/peers/python/requirements.txt", "\npusher==(%S+)", side = "python" },
  { "Java", "java -version", 'version "([^"]+)"', side = "java" },
  { "pusher-http-java", "cat bench/peers/java/pom.xml", "pusher%-http%-java</artifactId>%s*<version>([^<]+)",
    side = "java" },
}

--- What the machine is and which versions are measured, as one line each.
-- @tparam table sides by name: those that take part
function machine.describe(sides)
  local versions = {}
  for _, version in ipairs(VERSIONS) do
    local found = (not version.side or sides[version.side]) and output(version[2]):match(version[3])
    versions[#versions + 1] = found and version[1] .. " " .. found or nil
  end
  local model = read("/proc/cpuinfo"):match("model name%s*: ([^\n]+)") or "an unknown processor"
  local system = output("cat /etc/os-release"):match('PRETTY_NAME="([^"]+)"') or "Linux"
  local cores = output("nproc"):match("%d+")
  return { hardware = ("%s cores of %s, %s"):format(cores, model, system), versions = table.concat(versions, ", ") }
end

return machine
