--- The sides of the benchmark: how each is started, and which are left out.

local peer = require "bench.peer"
local text_file = require "tools.text_file"

local sides = {}

local WITH_LUA = [[env LUA_PATH="lua/?.lua;./?.lua;;" LUA_CPATH="build/%s/?.so;;" %s]]

--- The commands of our two interpreters.
sides.luas = { lua = WITH_LUA:format("5.4", "lua5.4"), luajit = WITH_LUA:format("jit", "luajit") }

--- All sides in the order of the tables: two of ours, bare C, and the other libraries. `title` is for a table, `short`
-- for a plot. Those with `built` are optional: bench/peers/build makes this file, or says in build/bench/NAME.missing
-- why not.
sides.all = {
  { name = "lua", title = "ours, Lua 5.4", short = "Lua 5.4", command = sides.luas.lua .. " bench/ours.lua" },
  { name = "luajit", title = "ours, LuaJIT", short = "LuaJIT", command = sides.luas.luajit .. " bench/ours.lua" },
  { name = "bare", title = "bare C", short = "bare C", command = "build/bench/bare" },
  { name = "rust", title = "Rust", short = "Rust", command = "build/bench/rust/release/bench-peer",
    built = "build/bench/rust/release/bench-peer" },
  { name = "go", title = "Go", short = "Go", command = "build/bench/go-peer" },
  { name = "node", title = "Node", short = "Node", command = "node bench/peers/node/main.js" },
  { name = "java", title = "Java", short = "Java", command = "java -cp 'build/bench/java:build/bench/java/lib/*' Peer",
    built = "build/bench/java/Peer.class" },
  { name = "python", title = "Python", short = "Python",
    command = "build/bench/python/bin/python bench/peers/python/main.py", built = "build/bench/python/.installed" },
}

local function why_missing(side)
  local path = "build/bench/" .. side.name .. ".missing"
  return text_file.exists(path) and text_file.read(path):match("^[^\n]*") or "run bench/peers/build"
end

--- Starts the wanted sides.
-- @tparam string wanted names with commas between them, or "all"
-- @tparam string dir for their fifos
-- @tparam number port of the server
-- @treturn table list of peers
-- @treturn table list of texts: which are left out, and why
function sides.start(wanted, dir, port)
  local started, left_out, known = {}, {}, { all = true }
  for _, side in ipairs(sides.all) do
    local name = side.name
    known[name] = true
    if wanted == "all" or ("," .. wanted .. ","):find("," .. name .. ",", 1, true) then
      if side.built and not text_file.exists(side.built) then
        left_out[#left_out + 1] = ("%s is left out: %s"):format(side.title, why_missing(side))
      else
        started[#started + 1] = peer.start(name, ("%s bench/inputs.json %d"):format(side.command, port), dir)
      end
    end
  end
  for name in wanted:gmatch("[^,]+") do
    assert(known[name], "unknown side " .. name)
  end
  return started, left_out
end

return sides
